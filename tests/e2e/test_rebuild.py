"""The index of a data directory is lost or damaged, and `sheaf fsck --repair` builds it anew: batches of every dialect and in
every state are what they were, also when the repair itself is killed in the middle."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import api
from lossy_mount import LossyMount, can_mount
from owner import Owner
from sheaf_server import SheafServer

MODELS = [{"name": name, "backend": "scripted", "answer": "answer for {custom_id}", "delay_ms": 10, "concurrency": 4}
          for name in ("practice", "pegasus1.5")]
DIALECTS = ["sail", "openai", "anthropic"]
CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "unlink", "link")
POINTS_OF_CALL = 2
RUNNING_ITEMS = 200
WAL_HEADER, WAL_FRAME = 32, 24 + 4096
LOG_BYTES_MIN = 100_000


def fsck(server: SheafServer, data: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*prefix, str(server.binary), "fsck", "--data", str(data), *arguments], capture_output=True,
                          text=True, timeout=120, stdin=subprocess.DEVNULL)


def durable_log_bytes(data: Path) -> int:
    """What the mark beside the write-ahead log says of this filling of it."""
    log, mark = data / "index.db-wal", (data / "index.db-mark").read_bytes()
    with log.open("rb") as file:
        salts = file.read(WAL_HEADER)[16:24]
    return WAL_HEADER + int.from_bytes(mark[8:16], sys.byteorder) * WAL_FRAME if mark[:8] == salts else 0


class Left:
    """What a killed server left, and what its clients had seen of it: batches of all dialects, each in several states."""

    def __init__(self, make_server, account_of, media, copy: Path) -> None:
        self.server: SheafServer = make_server(models=MODELS)
        self.owner = Owner(self.server)
        account = account_of(self.server)
        video = api.create_batch(account.client, api.general_batch(6, account.asset(media.clip)))["batch_id"]
        api.wait_for_batch(account.client, video)
        self.videos = account.key
        self.ended = {video: "videos"} | {self.owner.create(20, dialect): "owner" for dialect in DIALECTS}
        for batch in list(self.ended)[1:]:
            self.owner.wait_until_ended(batch)
        canceled = self.owner.create(400, text="sheaf:delay 50")
        self.owner.wait_until_done(canceled, 2)
        with self.owner.http() as client:
            assert client.post(f"/sheaf/v1/batches/{canceled}/cancel").status_code == 200
            self.owner.wait_until_ended(canceled)
            self.ended[canceled] = "owner"
            self.deleted = self.owner.create(5, "anthropic", text="secret of {name}")
            self.owner.wait_until_ended(self.deleted)
            assert client.delete(f"/v1/messages/batches/{self.deleted}",
                                 headers={"anthropic-version": "2023-06-01"}).status_code == 200
        self.running = [self.owner.create(RUNNING_ITEMS, dialect) for dialect in DIALECTS]
        for batch in self.running:
            self.owner.wait_until_done(batch, 10)
        self.shown = {batch: self.get(batch, "") for batch in self.ended}
        self.lines = {batch: self.get(batch, "/results") for batch in self.ended}
        self.followed = {batch: self.get(batch, "/results?follow=true") for batch in self.ended}
        self.receipts = {batch: self.get(batch, "/receipt") for batch in self.ended}
        self.some_lines = {batch: self.get(batch, "/results").split(b"\n")[:-1] for batch in self.running}
        self.kill_with_commits_in_its_log()
        self.copy = copy
        shutil.copytree(self.server.data, copy)

    def kill_with_commits_in_its_log(self) -> None:
        """It empties its log now and then: two seconds after a start and after a delete."""
        def stopped_with_commits() -> bool:
            self.server.signal(signal.SIGSTOP)
            status = Path(f"/proc/{self.server.process.pid}/stat")
            api.wait_for(lambda: status.read_text().rsplit(") ", 1)[1][0] == "T", what="its standing still")
            if durable_log_bytes(self.server.data) > LOG_BYTES_MIN:
                return True
            self.server.signal(signal.SIGCONT)
            self.owner.create(20)
            return False
        api.wait_for(stopped_with_commits, what="a log with commits")
        self.server.kill()

    def get(self, batch: str, what: str) -> bytes:
        key = self.videos.key if self.ended.get(batch) == "videos" else self.owner.key
        with httpx.Client(base_url=self.server.url, headers={"authorization": f"Bearer {key}", "x-api-key": key},
                          trust_env=False, timeout=60) as client:
            answer = client.get(f"/sheaf/v1/batches/{batch}{what}")
            assert answer.status_code == 200, answer.text
            return answer.content

    def restore(self) -> Path:
        shutil.rmtree(self.server.data)
        shutil.copytree(self.copy, self.server.data)
        return self.server.data

    def expect_all_as_before(self) -> None:
        """On the data directory as it is now; keys are made anew, for they may be lost."""
        self.owner.key = self.server.create_key("owner").key
        self.videos = self.server.create_key(self.videos.account)
        self.server.start()
        try:
            for batch, shown in self.shown.items():
                assert self.get(batch, "") == shown, batch
                assert self.get(batch, "/results") == self.lines[batch], batch
                assert self.get(batch, "/results?follow=true") == self.followed[batch], batch
                assert self.get(batch, "/receipt") == self.receipts[batch], batch
            with self.owner.http() as client:
                assert client.get(f"/sheaf/v1/batches/{self.deleted}").status_code == 404
            for batch in self.running:
                self.owner.wait_until_ended(batch)
                now = set(self.owner.results(batch))
                assert len(now) == RUNNING_ITEMS and set(self.some_lines[batch]) <= now, batch
        finally:
            self.server.kill()

    def fold_log(self) -> None:
        """What the write-ahead log holds is copied into the index."""
        assert fsck(self.server, self.server.data, "--repair").returncode == 0
        assert not (self.server.data / "index.db-wal").exists()


@pytest.fixture
def left(make_server, account_of, media, tmp_path) -> Left:
    return Left(make_server, account_of, media, tmp_path / "copy")


def remove_index(left: Left) -> None:
    for path in left.server.data.glob("index.db*"):
        path.unlink()


def cut_index(left: Left) -> None:
    left.fold_log()
    index = left.server.data / "index.db"
    index.write_bytes(index.read_bytes()[:index.stat().st_size // 2])


def zero_pages(left: Left) -> None:
    left.fold_log()
    index = left.server.data / "index.db"
    pages = bytearray(index.read_bytes())
    for page in range(3, len(pages) // 4096, 5):
        pages[page * 4096:(page + 1) * 4096] = bytes(4096)
    index.write_bytes(pages)


def damage_log(left: Left) -> None:
    log = left.server.data / "index.db-wal"
    frames = bytearray(log.read_bytes())
    frames[durable_log_bytes(left.server.data) // 3] ^= 1
    log.write_bytes(frames)


@pytest.mark.long
@pytest.mark.timeout(420)
def test_whatever_befell_the_index_all_batches_are_what_they_were(left):
    for damage in (remove_index, cut_index, zero_pages, damage_log):
        data = left.restore()
        damage(left)
        looked = fsck(left.server, data)
        assert looked.returncode == 1 and "--repair builds it anew" in looked.stdout, (damage, looked)
        mended = fsck(left.server, data, "--repair")
        assert mended.returncode == 0 and "It was built anew" in mended.stdout, (damage, mended)
        again = fsck(left.server, data)
        assert again.returncode == 0 and "all is well" in again.stdout, (damage, again)
        left.expect_all_as_before()


def test_a_server_does_not_start_without_its_index(left):
    remove_index(left)
    before = api.files_below(left.server.data)
    with pytest.raises(AssertionError, match="sheaf fsck --repair"):
        left.server.start()
    made = left.server.cli("keys", "create", "--data", str(left.server.data))
    assert made.returncode != 0 and "sheaf fsck --repair" in made.stderr, made
    assert api.files_below(left.server.data) == before


@pytest.mark.long
@pytest.mark.timeout(420)
def test_a_repair_that_is_killed_in_the_middle_is_repeated(left, tmp_path, monkeypatch):
    # Leaks are not looked for below strace, which does what the search would do itself.
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    data = left.restore()
    remove_index(left)
    log = tmp_path / "calls"
    counted = fsck(left.server, data, "--repair", prefix=(
        "strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(CALLS)}", "--"))
    assert counted.returncode == 0, counted
    calls = [match[1] for match in re.finditer(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE)]
    killed = 0
    for call in CALLS:
        count = calls.count(call)
        for when in sorted({max(1, round(count * part / POINTS_OF_CALL)) for part in range(POINTS_OF_CALL + 1)}):
            if count == 0:
                continue
            data = left.restore()
            remove_index(left)
            cut_off = fsck(left.server, data, "--repair", prefix=(
                "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}",
                "--"))
            assert cut_off.returncode != 0, (call, when, cut_off)
            killed += 1
            repeated = fsck(left.server, data, "--repair")
            assert repeated.returncode == 0, (call, when, repeated)
            looked = fsck(left.server, data)
            assert looked.returncode == 0 and "all is well" in looked.stdout, (call, when, looked)
            if when == count:
                left.expect_all_as_before()
    assert killed > 2 * POINTS_OF_CALL, calls


def forget_end(path: Path, count: int) -> None:
    """Its last bytes are there, and no sync came after they were written: as a server leaves them that was killed before it."""
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(len(content) - count)
        os.fsync(file.fileno())
        file.seek(0, os.SEEK_END)
        file.write(content[-count:])


def test_what_a_repair_has_read_outlasts_the_power(build_dir, tmp_path):
    if not can_mount(build_dir):
        pytest.skip("there is no FUSE here")
    with LossyMount(build_dir, tmp_path, 1, "--loses-all") as disk:
        server = SheafServer(build_dir / "sheaf", tmp_path, models=MODELS, settings={"data": str(disk.path)}).start()
        try:
            owner = Owner(server)
            batch = owner.create(20)
            owner.wait_until_ended(batch)
            results = owner.results(batch)
            server.kill()
            for path in sorted((server.data / "log").iterdir())[-1:] + sorted((server.data / "bodies").iterdir())[-1:]:
                forget_end(path, 100)
            for path in [*server.data.glob("index.db*"), *(server.data / "results").iterdir()]:
                path.unlink()
            mended = fsck(server, server.data, "--repair")
            assert mended.returncode == 0, mended
            disk.cut_power()
            looked = fsck(server, server.data)
            assert looked.returncode == 0 and "all is well" in looked.stdout, looked
            owner.key = server.create_key("owner").key
            server.start()
            assert owner.results(batch) == results
        finally:
            server.kill()
