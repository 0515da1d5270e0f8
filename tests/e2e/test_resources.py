"""A server that runs out of descriptors or of memory: it serves what it can, loses nothing, and does not spin.

With a build without sanitizers, whose runtime needs descriptors and memory itself; `./dev build release` makes one."""

import mmap
import os
import resource
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import api

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reliability"))

from history import Gone  # noqa: E402
from kill import Life  # noqa: E402
from scenario import Scenario  # noqa: E402
from work import Work, count, state  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
OUT_OF_MEMORY = 6
A_COMMIT_IS_UNKNOWN = 5


@pytest.fixture
def life(build_dir, tmp_path):
    release = ROOT / "build" / "release" / "sheaf"
    if not release.exists():
        pytest.skip("there is no release build")
    with Life(build_dir.resolve(), tmp_path, program=release) as made:
        yield made


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connected(port: int, text: bytes = b"") -> socket.socket:
    """The kernel takes it, whether or not the server does."""
    made = socket.create_connection(("127.0.0.1", port), timeout=10)
    made.sendall(text)
    return made


class NoDescriptors:
    """From `with` on until its end a process gets no descriptor more."""

    def __init__(self, process: int) -> None:
        self.process = process

    def __enter__(self) -> None:
        used = {int(name) for name in os.listdir(f"/proc/{self.process}/fd")}
        free = next(number for number in range(len(used) + 1) if number not in used)
        self.before = resource.prlimit(self.process, resource.RLIMIT_NOFILE)
        resource.prlimit(self.process, resource.RLIMIT_NOFILE, (free, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.prlimit(self.process, resource.RLIMIT_NOFILE, self.before)


LOOK = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def test_without_descriptors_nothing_is_lost_and_it_accepts_again(life):
    work = Work(life)
    life.start()
    process = life.server.process.pid
    life.model.control(latency_ms=300)
    idle = [connected(life.server.port, LOOK) for _ in range(10)]
    with life.client() as client:
        batch = work.create(client, 0, 100)
        api.wait_for(lambda: count(client, batch, "succeeded") > 5, what="some results")
        with NoDescriptors(process):
            newcomers = [connected(life.server.port, LOOK) for _ in range(5)]
            before = cpu_seconds(process)
            time.sleep(1)
            assert cpu_seconds(process) - before < 0.3, "it spins"
            # Who has long only kept a connection open makes room for who asks something.
            assert all(one.recv(1000).startswith(b"HTTP/1.1 200") for one in newcomers)
            work.create(client, 1000, 5)
            client.list()
            assert count(client, batch, "failed") == 0
        with life.client() as another:
            another.list()
        for one in idle + newcomers:
            one.close()
        life.model.control(latency_ms=5)
        work.end_well(client)


def test_idle_connections_leave_descriptors_to_the_work(life):
    """Few descriptors from the start, and more clients than these that only keep a connection open."""
    work = Work(life)
    life.start("prlimit", "--nofile=120:120")
    assert "allows fewer connections" in life.server.log()
    idle = [connected(life.server.port) for _ in range(200)]
    with life.client() as client:
        batch = work.create(client, 0, 200)
        api.wait_for(lambda: state(client, batch) == "ended", what="the end")
        client.results(batch)
        assert len(os.listdir(f"/proc/{life.server.process.pid}/fd")) < 110
        for one in idle:
            one.close()
        work.end_well(client)


class Memory:
    """What tells failing_malloc.cpp which allocations fail."""

    def __init__(self, folder: Path) -> None:
        self.file, self.library = folder / "memory", folder / "failing_malloc.so"
        self.file.write_bytes(bytes(4096))
        self.map = mmap.mmap(os.open(self.file, os.O_RDWR), 4096)
        subprocess.run(["clang++-19", "-std=c++20", "-shared", "-fPIC", "-O1", "-o", str(self.library),
                        str(ROOT / "tests" / "support" / "preloaded" / "failing_malloc.cpp")], check=True)

    @property
    def prefix(self) -> tuple[str, ...]:
        return "env", f"FAILING_MALLOC={self.file}", f"LD_PRELOAD={self.library}"

    def fail(self, every: int, bytes_min: int) -> None:
        self.map[0:16] = struct.pack("QQ", every, bytes_min)

    @property
    def failed(self) -> int:
        return struct.unpack_from("Q", self.map, 16)[0]


def has_ended(process: subprocess.Popen, within_s: float) -> bool:
    """Or is about to, of what was done to it until now."""
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.mark.parametrize("every, bytes_min", [(3, 4096), (40, 512), (211, 0), (1500, 0)])
def test_without_memory_a_call_is_refused_or_the_server_ends_and_nothing_is_lost(life, tmp_path, every, bytes_min):
    memory = Memory(tmp_path)
    work = Work(life)
    scenario = Scenario()
    is_done = False
    for number in range(4):
        if life.server.process is None:
            life.start(*memory.prefix)
        is_silent = False
        with life.client() as client:
            memory.fail(every, bytes_min)
            try:
                work.create(client, 10_000 * (number + 1), 900)
            except Gone:
                is_silent = True
            until = time.monotonic() + 0.5
            while not is_done and time.monotonic() < until and life.server.process.poll() is None:
                is_done = scenario.run(client)
                is_silent = not is_done
                time.sleep(0.02)
            memory.fail(0, 0)
        if has_ended(life.server.process, 2 if is_silent else 0.1):
            assert life.server.wait() in (OUT_OF_MEMORY, A_COMMIT_IS_UNKNOWN), life.server.log()
            life.history.mark("kill")
    assert memory.failed > 0
    if life.server.process is None:
        life.start(*memory.prefix)
    with life.client() as client:
        assert is_done or scenario.run(client), "it does not go on with memory"
        work.end_well(client)
