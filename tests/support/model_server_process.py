"""The model server to measure with (tests/support/model_server), a process of its own. Needs only Python itself."""

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

START_TIMEOUT_S = 20
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ModelServer:
    def __init__(self, program: Path, directory: Path, *arguments: object, core: int | None = None) -> None:
        self.program, self.directory, self.core = program, directory, core
        self.arguments = [str(argument) for argument in arguments]
        self.port = 0
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "ModelServer":
        self.directory.mkdir(parents=True, exist_ok=True)
        port_file = self.directory / "model-server-port"
        port_file.unlink(missing_ok=True)
        core = self.core
        self.process = subprocess.Popen([str(self.program), "--port-file", str(port_file), *self.arguments], stdin=subprocess.DEVNULL,
                                        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}))
        deadline = time.monotonic() + START_TIMEOUT_S
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.program} did not start")
            time.sleep(0.01)
        self.port = int(port_file.read_text())
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    def _read(self, path: str, body: dict | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        with _opener.open(urllib.request.Request(self.origin + path, data=data), timeout=30) as response:
            return response.read()

    def stats(self) -> dict:
        return json.loads(self._read("/stats"))

    def ledger(self) -> list[dict]:
        """An entry for each request, in the order they arrived; needs --ledger."""
        return [json.loads(line) for line in self._read("/ledger").splitlines()]

    def metrics(self) -> dict[str, float]:
        lines = [line for line in self._read("/metrics").decode().splitlines() if not line.startswith("#")]
        return {line.split("{")[0].split(" ")[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def control(self, **changes: float) -> dict:
        """Changes slots, queue_max, knee, held or latency_ms while it runs; reset=1 begins all counts anew."""
        return json.loads(self._read("/control", changes))

    def wait_for(self, what, timeout_s: float) -> dict:
        """The counters, once `what` holds for them."""
        deadline = time.monotonic() + timeout_s
        while not what(stats := self.stats()):
            if time.monotonic() > deadline:
                with contextlib.suppress(OSError):
                    stats = self.stats()
                raise RuntimeError(f"the model server waited in vain: {stats}")
            time.sleep(0.02)
        return stats
