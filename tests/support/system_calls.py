"""System calls of a running server that fail for a while, at one file, through strace."""

import signal
import subprocess
from pathlib import Path

import api


class Failing:
    """From `with` on until its end the calls fail with the error. Nothing is started anew: strace attaches, and lets go."""

    def __init__(self, process: int, calls: str, error: str, *paths: Path) -> None:
        self.process = process
        at = [option for path in paths for option in ("-P", str(path))]
        self.command = ["strace", "-f", "-qq", "-o", "/dev/null", *at, "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}",
                        "-p", str(process)]

    def __enter__(self) -> "Failing":
        self.strace = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
        threads = Path(f"/proc/{self.process}/task")
        api.wait_for(lambda: all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads.iterdir()),
                     timeout_s=20, what="strace being attached")
        return self

    def __exit__(self, *_: object) -> None:
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait(20)
