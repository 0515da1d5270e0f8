"""Makes of a killed server's data directory what a power cut would have left: planted/lossy_disk.cpp noted how to undo what it did.

What was not synced is lost, all of it: bytes of a file that its own sync did not follow, names that their directory's did not. A
sync that failed has lost what it was to write, whatever a later one said.
"""
import os
import pathlib
from dataclasses import dataclass

MARKS = ("synced", "dropped")


@dataclass(frozen=True)
class Record:
    what: str  # change; made or gone, of a name; synced or dropped
    of: str  # an inode, or a path
    at: int
    count: int
    size: int  # of the file before
    old: bytes

    @property
    def is_lost_without(self) -> str:
        """What has to be synced for it to last."""
        return self.of if self.what == "change" else str(pathlib.Path(self.of).parent)


def read_records(path: pathlib.Path):
    content, at = path.read_bytes(), 0
    while at < len(content):
        end = content.find(b"\n", at)
        fields = content[at:end].decode().split("\t")
        if end < 0 or len(fields) != 6 or len(content) < end + 1 + int(fields[5]) + 1:
            return  # the server was killed while it noted it, and did not do it
        what, of, *numbers = fields
        old = content[end + 1:end + 1 + int(numbers[3])]
        yield Record(what, of, int(numbers[0]), int(numbers[1]), int(numbers[2]), old)
        at = end + 1 + len(old) + 1


def cut_power(log: pathlib.Path, data: pathlib.Path) -> None:
    """When the server is gone. The log is empty afterwards."""
    kept_to: dict[str, int] = {}  # by file: how far what lasts reaches
    next_mark: dict[str, str] = {}
    for record in reversed(list(read_records(log / "records"))):
        if record.what in MARKS:
            next_mark[record.of] = record.what
        elif next_mark.get(record.is_lost_without) == "synced":
            if record.what == "change":
                kept_to[record.of] = max(kept_to.get(record.of, 0), record.at + record.count)
        elif record.what == "change":
            undo_change(log / record.of, record, kept_to.get(record.of, 0))
        elif record.what == "made":
            remove(pathlib.Path(record.of))
        elif not os.path.lexists(record.of):
            os.link(log / str(record.at), record.of)
    for path in log.iterdir():
        path.unlink()
    for path in data.glob("*-shm"):
        path.unlink()


def undo_change(path: pathlib.Path, record: Record, kept_to: int) -> None:
    if not path.exists():
        return
    with path.open("r+b") as file:
        file.seek(record.at)
        file.write(record.old)
        if kept_to <= record.at + len(record.old):
            file.truncate(max(record.size, kept_to))
        else:
            file.write(bytes(min(record.at + record.count, kept_to) - record.at - len(record.old)))


def remove(path: pathlib.Path) -> None:
    if path.is_dir():
        if not any(path.iterdir()):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
