"""A disk whose power can be cut: a folder mounted by lossy_mount (tests/lossy_disk), where FUSE is at hand."""
import functools
import subprocess
import tempfile
import time
from pathlib import Path

MOUNTED_WITHIN_S = 10
ENDS_WITHIN_S = 30


class CannotMount(AssertionError):
    """There is no FUSE here, or no right to use it."""


class LossyMount:
    """Entered, `path` is on a disk with its power. What is cut or left there is what the disk would have kept."""

    def __init__(self, build: Path, folder: Path, seed: int, *options: str) -> None:
        """`folder`: where the files and the mountpoint are made. `options`: of lossy_mount, until the power is cut first."""
        self.program, self.seed, self.options = build / "lossy_mount", seed, options
        self.files, self.path = folder / "disk", folder / "mount"

    def __enter__(self) -> "LossyMount":
        for made in (self.files, self.path):
            made.mkdir(parents=True, exist_ok=True)
        self.mount(*self.options)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def mount(self, *options: str) -> None:
        self.process = subprocess.Popen([self.program, self.files, self.path, "--seed", str(self.seed), *options], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + MOUNTED_WITHIN_S
        while not self.path.is_mount():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                self.process = None
                raise CannotMount("lossy_mount did not mount")
            time.sleep(0.005)

    def end(self) -> None:
        if self.process is None:
            return  # it could not be mounted, and that was said
        self.process.terminate()
        if code := self.process.wait(ENDS_WITHIN_S):
            raise AssertionError(f"lossy_mount ended with {code}")

    def cut_power(self) -> None:
        """When nothing uses it any more; and has power again."""
        self.end()
        self.seed += 1
        self.mount(*(option for option in self.options if option == "--loses-all"))


@functools.cache
def can_mount(build: Path) -> bool:
    """Whether there is the program, and a kernel and the rights for it."""
    with tempfile.TemporaryDirectory(prefix="sheaf-can-mount-") as folder:
        try:
            with LossyMount(build, Path(folder), 1):
                return True
        except (CannotMount, FileNotFoundError):
            return False
