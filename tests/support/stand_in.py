"""The model server of the tests, a process of its own (tests/support/model_stand_in.cpp)."""

import contextlib
import subprocess
from pathlib import Path

import httpx

import api


class StandIn:
    def __init__(self, program: Path, directory: Path, *arguments: str) -> None:
        self.program = program
        self.directory = directory
        self.arguments = arguments
        self.port = 0
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "StandIn":
        port_file = self.directory / "stand-in-port"
        port_file.unlink(missing_ok=True)
        with open(self.directory / "stand-in.log", "ab") as log:
            self.process = subprocess.Popen([str(self.program), "--port-file", str(port_file), *self.arguments],
                                            stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

        def read_port() -> int:
            assert self.process.poll() is None, (self.directory / "stand-in.log").read_text(errors="replace")
            with contextlib.suppress(FileNotFoundError, ValueError):
                return int(port_file.read_text().strip())
            return 0

        self.port = api.wait_for(read_port, timeout_s=30, what="the stand-in being ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def ledger(self) -> dict:
        """Counters, and under "entries" every request it was sent, in order."""
        response = httpx.get(f"http://127.0.0.1:{self.port}/stand-in/ledger", trust_env=False, timeout=30)
        assert response.status_code == 200, response.text
        return response.json()

    def attempts(self, words: str) -> int:
        """How often a prompt with these words came in."""
        return sum(words in entry["words"] for entry in self.ledger()["entries"])

    def check_requests(self) -> None:
        """Whatever it was told to answer, it found nothing wrong with what it was asked."""
        assert [entry for entry in self.ledger()["entries"] if entry["violation"]] == []
