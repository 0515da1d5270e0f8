"""A real model server for tests: llama.cpp, serving a tiny model with random weights on loopback.

It speaks Chat Completions, Messages, Responses and Embeddings, each natively. Greedy answers (temperature 0) are the
same each time and in every protocol. Runs under a Python with the packages of tests/real_model/requirements.txt.
"""

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

from random_model import SEED, write_random_model

MODEL = "tiny"
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


class RealModelServer:
    """Makes its model in `directory` and serves it for the time of a with statement."""

    def __init__(self, directory: Path, *, seed: int = SEED) -> None:
        self.directory = directory
        self.seed = seed
        self.process: subprocess.Popen | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def log_path(self) -> Path:
        return self.directory / "model_server.log"

    def __enter__(self) -> "RealModelServer":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> "RealModelServer":
        """Returns once GET /health says ok."""
        assert self.process is None, "the model server runs already"
        model, port_file = self.directory / "tiny.gguf", self.directory / "model_server.port"
        if not model.exists():
            write_random_model(model, seed=self.seed, name=MODEL)
        port_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("serve_llama.py")), str(model), MODEL, str(port_file)],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self.healthy(port_file):
            code = self.process.poll()
            if code is not None:
                self.process = None
                raise AssertionError(f"the model server ended with {code} before it was ready:\n{self.log()}")
            if time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the model server was not ready within {READY_TIMEOUT_S} s:\n{self.log()}")
            time.sleep(0.02)
        return self

    def healthy(self, port_file: Path) -> bool:
        with contextlib.suppress(FileNotFoundError, ValueError, httpx.TransportError):
            self.port = int(port_file.read_text())
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200
        return False

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def log(self, lines: int = 60) -> str:
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
