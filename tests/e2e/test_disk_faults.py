"""A disk that fails: read-only all of a sudden, a sync that fails, bytes that cannot be read. Nothing acknowledged is lost,
nothing wrong is served, and it goes on: by itself where it may, after a restart where it must not go on. A batch runs
meanwhile, and the checker judges what clients saw."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import api
from system_calls import Failing

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reliability"))

from history import Client, Gone  # noqa: E402
from kill import Life, strace  # noqa: E402
from scenario import Scenario  # noqa: E402
from work import Work, count, state  # noqa: E402

A_SYNC_FAILED = 5
CANNOT_START = 3
# Enough of them that their create call is kept in a file of its own.
MANY = 900


@pytest.fixture
def life(build_dir, tmp_path, monkeypatch):
    """Makes a data directory with its model server and its server; it is sound in the end."""
    # Leaks are not looked for below strace, which does what the search would do itself.
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    made: list[Life] = []

    def make(**settings: object) -> Life:
        made.append(Life(build_dir.resolve(), tmp_path, **settings).__enter__())
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


def until_gone(work: Work, client: Client, first: int) -> None:
    """Creates and looks, until the server does not take it any more."""
    for number in range(100):
        try:
            work.create(client, first + 2 * number, 2)
            client.list()
        except Gone:
            return
    pytest.fail("the server went on as if nothing were wrong")


@pytest.fixture
def journaled_disk(tmp_path):
    """A file system of its own that can be made to give up, as the kernel does with one whose disk fails."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    image, where = tmp_path / "image", tmp_path / "disk"
    where.mkdir()
    with open(image, "wb") as file:
        file.truncate(64 << 20)

    def mount(*options: str) -> None:
        subprocess.run(["mount", *options], check=True, capture_output=True, text=True)

    try:
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True, capture_output=True, text=True)
        mount("-o", "loop", str(image), str(where))
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        pytest.skip(f"a file system could not be mounted: {getattr(error, 'stderr', error)}")

    class Disk:
        path = where

        def become_read_only(self) -> None:
            mount("-o", "remount,abort", str(where))

        def be_mended(self) -> None:
            subprocess.run(["umount", str(where)], check=True)
            mount("-o", "loop", str(image), str(where))

    yield Disk()
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_a_disk_that_becomes_read_only_ends_the_server_and_loses_nothing(life, journaled_disk):
    life = life(data=str(journaled_disk.path / "data"))
    work = Work(life)
    life.start()
    life.model.control(latency_ms=200)
    with life.client() as client:
        batch = work.create(client, 1000, 60)
        api.wait_for(lambda: count(client, batch, "succeeded") > 5, what="some results")
        client.results(batch)
        journaled_disk.become_read_only()
        until_gone(work, client, first=2000)
    assert life.server.wait() == A_SYNC_FAILED, life.server.log()
    life.history.mark("kill")
    with pytest.raises(AssertionError, match=f"ended with {CANNOT_START}"):
        life.server.start()
    journaled_disk.be_mended()
    life.model.control(latency_ms=5)
    life.server.start()
    with life.client() as client:
        work.end_well(client)


@pytest.mark.parametrize("at", ["index.db-wal", "log/00000001.seg", "bodies/00000001.seg", "bodies", "results", "a body"])
def test_a_sync_that_fails_is_not_repeated_and_ends_the_server(life, tmp_path, at):
    life = life()
    work = Work(life)
    paths = [life.server.data / "spool" / str(number) for number in range(1, 4)] if at == "a body" else [life.server.data / at]
    calls = tmp_path / "calls"
    # Of a thread: the write-ahead log is synced several times while the server starts.
    number = 8 if at == "index.db-wal" else 2 if at.startswith("log") else 1
    life.start(*strace("-o", str(calls), *(option for path in paths for option in ("-P", str(path))), "-e", "trace=fdatasync,fsync",
                       "-e", f"inject=fdatasync,fsync:error=EIO:when={number}"))
    scenario = Scenario()
    with life.client() as client:
        try:
            work.create(client, 10_000, MANY)
            assert not scenario.run(client), "no sync failed"
        except Gone:
            pass
    assert life.server.wait() == A_SYNC_FAILED, life.server.log()
    life.history.mark("kill")
    made = calls.read_text().splitlines()
    failed = next(place for place, line in enumerate(made) if "INJECTED" in line)
    assert not [line for line in made[failed + 1:] if "exited" not in line], "what failed was tried again"
    life.start()
    with life.client() as client:
        assert scenario.run(client)
        work.end_well(client)


def test_what_cannot_be_read_is_not_served_and_others_go_on(life):
    life = life()
    work = Work(life)
    life.start()
    data = life.server.data
    with life.client() as client:
        ended = work.create(client, 1000, 20)
        api.wait_for(lambda: state(client, ended) == "ended", what="the end")
        api.wait_for(lambda: list((data / "results").iterdir()), what="its results being laid out")
        laid_out, = (data / "results").iterdir()
        client.results(ended)
        life.model.control(latency_ms=300)
        running = work.create(client, 2000, 60)
        api.wait_for(lambda: count(client, running, "succeeded") > 5, what="some results")
        client.results(running)

        with Failing(life.server.process.pid, "pread64,sendfile", "EIO", laid_out, data / "log" / "00000001.seg"):
            for batch in (ended, running):
                assert read(client, batch) == "refused or cut"
            other = work.create(client, 3000, 5)
            api.wait_for(lambda: state(client, other) == "ended" and state(client, running) == "ended", what="the others")
        for batch in (ended, running, other):
            client.results(batch)
        assert count(client, other, "succeeded") == 5
        life.model.control(latency_ms=5)
        work.end_well(client)


def test_requests_that_cannot_be_read_fail_and_others_go_on(life):
    life = life()
    work = Work(life)
    life.start()
    life.model.control(latency_ms=100)
    with life.client() as client:
        batch = work.create(client, 10_000, MANY)
        api.wait_for(lambda: count(client, batch, "succeeded") > 5, what="some results")
        body, = (path for path in (life.server.data / "bodies").iterdir() if path.suffix != ".seg")
        with Failing(life.server.process.pid, "pread64", "EIO", body):
            other = work.create(client, 3000, 30)
            api.wait_for(lambda: state(client, batch) == "ended" and state(client, other) == "ended", what="the end")
        assert count(client, other, "succeeded") == 30
        counts = client.look(batch)["shown"]["counts"]
        assert counts["succeeded"] > 5 and counts["succeeded"] + counts["failed"] == MANY
        lines = client.http.get(f"/sheaf/v1/batches/{batch}/results").text.splitlines()
        assert sum("The stored request is damaged" in line for line in lines) == counts["failed"]
        work.end_well(client, but="failures_have_a_reason")  # no model server was asked


def read(client: Client, batch: str) -> str:
    """Outside of the history: here a 500 is what should come."""
    try:
        answer = client.http.get(f"/sheaf/v1/batches/{batch}/results")
    except httpx.TransportError:
        return "refused or cut"
    return "refused or cut" if answer.status_code == 500 else f"{answer.status_code}: {answer.text}"
