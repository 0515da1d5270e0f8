#!/usr/bin/env python3
"""Kills a server at its durable system calls, and makes them fail, and lets the checker judge what clients saw.

    kill.py --build-dir build/release [--points N [--jobs J] | --random N] [--seed S] [--keep DIR]

First the reference life is run once with every call counted. Then, for each point: one call of one kind is chosen by the seed,
the life runs with SIGKILL, EIO or ENOSPC at that call (strace -e inject), the server is started again without, the rest of the
life runs, and the checker looks at its history. The last line is "N passed, N failed". A point that failed prints its seed.

Where FUSE is at hand, the power goes with half of the servers that are killed: the disk drops, tears and reorders what was not
synced (support/lossy_mount.py).

With --random the server is killed N times at random moments instead, while it runs batches of thousands (lives/crowd.py).
"""
import argparse
import collections
import concurrent.futures
import contextlib
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from checker import INVARIANTS, check  # noqa: E402
from history import Client, Gone, History  # noqa: E402
from lives import crowd  # noqa: E402
from lossy_mount import LossyMount, can_mount  # noqa: E402
from model_server_process import ModelServer  # noqa: E402
from play import play  # noqa: E402
from scenario import Scenario  # noqa: E402
from sheaf_server import SheafServer  # noqa: E402

WRITES = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate", "rename", "renameat2", "unlink", "sendmsg", "sendto")
CAN_FAIL = {"pwrite64": ("EIO", "ENOSPC"), "write": ("EIO", "ENOSPC"), "fdatasync": ("EIO",), "fsync": ("EIO",)}
ERASED_WITHIN_S = 10
DISK_LOOKS_EVERY = 10  # points: a look takes seconds
LIVES_MAX = 4  # a disk that stays bad is mended after so many starts


@dataclass(frozen=True)
class Point:
    call: str
    number: int  # the how-manieth of a thread
    effect: str  # KILL, POWER, or an error

    def injection(self) -> str:
        effect = "signal=KILL" if self.effect in ("KILL", "POWER") else f"error={self.effect}"
        return f"inject={self.call}:{effect}:when={self.number}"

    def __str__(self) -> str:
        return f"{self.effect} at {self.call} {self.number}"


class Life:
    """A data directory, its model server, and the lives of the server on it."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path, *, program: pathlib.Path | None = None, disk: LossyMount | None = None,
                 **settings: object) -> None:
        """`disk`: on which the data is, and which loses its power whenever the server is killed."""
        self.program, self.disk = program or build / "sheaf", disk
        if disk:
            settings["data"] = str(disk.path)
        self.folder, self.history, self.settings = folder, History(folder / "history.jsonl"), settings
        self.model = ModelServer(build / "model_server", folder, "--ledger", "--latency-ms", 8, "--slots", 12, "--fault", "500:0.03")
        self.was_hit = False  # the server went away in the middle of what clients did

    def __enter__(self) -> "Life":
        self.model.__enter__()
        self.server = SheafServer(self.program, self.folder, models=[
            {"name": "m", "backend": "chat", "urls": [self.model.url], "model": "stand-in", "concurrency": 12,
             "retry_first_wait_ms": 5}], settings=self.settings)
        self.key = self.server.create_key("anna").key
        return self

    def __exit__(self, *_: object) -> None:
        self.server.kill()
        self.model.__exit__()

    def kill(self) -> None:
        self.history.mark("kill")
        self.server.kill()
        if self.disk:
            self.disk.cut_power()

    def start(self, *prefix: str) -> bool:
        """False when it could not start: what was injected came before it was ready."""
        try:
            self.server.start(*prefix)
        except AssertionError:
            if "strace: " in self.server.log():
                raise
            return False
        return True

    def client(self) -> Client:
        return Client(self.history, self.server.url, self.key)

    def broken(self) -> list[str]:
        events = [json.loads(line) for line in self.history.path.read_text().splitlines()]
        return check(events, self.model.ledger())

    def note_what_is_left(self) -> None:
        """Of batches whose delete was acknowledged no byte is on the disk, seconds later."""
        deadline = time.monotonic() + ERASED_WITHIN_S
        while (left := self.left_on_disk()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for item, file in left:
            self.history.mark("left_on_disk", item=item, file=file)

    def left_on_disk(self) -> list[tuple[str, str]]:
        events = [json.loads(line) for line in self.history.path.read_text().splitlines()]
        created = {event["batch"]: event["items"] for event in events if event["op"] == "create" and event["phase"] == "ok"}
        gone = [created[event["batch"]][0] for event in events if event["op"] == "delete" and event["phase"] == "ok"]
        files = [(path.name, path.read_bytes()) for path in self.server.data.rglob("*") if path.is_file()] if gone else []
        return [(item, name) for item in gone for name, content in files if item.encode() in content]


def strace(*options: str) -> list[str]:
    return ["strace", "-f", "-qq", *options, "--"]  # with --seccomp-bpf nothing is injected into threads


def live_through(life: Life, prefix: list[str], looks_at_disk: bool) -> list[str]:
    """The whole life, the first start below `prefix`; what the checker found."""
    scenario = Scenario()
    done = False
    for start in range(LIVES_MAX):
        if life.start(*(prefix if start == 0 else [])):
            with life.client() as client:
                done = scenario.run(client)
        if done:
            break
        life.was_hit = True
        life.kill()
    life.kill()  # also when nothing was hit: a call of the end
    if not life.start():
        return [f"it does not start any more:\n{life.server.log(20)}"]
    try:
        with life.client() as client:
            if not done:
                done = scenario.run(client)
            scenario.settle(client)
    except Gone:
        return [f"it went away without a reason:\n{life.server.log(20)}"]
    if looks_at_disk:
        life.note_what_is_left()
    return life.broken()


def count_calls(build: pathlib.Path, folder: pathlib.Path) -> dict[str, list[int]]:
    """How many calls of each kind each of the threads makes in the reference life."""
    with Life(build, folder) as life:
        log = folder / "calls"
        found = live_through(life, strace("-o", str(log), "-e", f"trace={','.join(WRITES)}"), looks_at_disk=True)
        if found:
            raise SystemExit("kill: the reference life is broken without any fault:\n" + "\n".join(found))
    of_threads: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for line in log.read_text().splitlines():
        if match := re.match(r"(\d+) +(\w+)\(", line):
            of_threads[match[2]][match[1]] += 1
    return {call: sorted(threads.values()) for call, threads in of_threads.items()}


def choose(calls: dict[str, list[int]], dice: random.Random, can_lose_power: bool) -> Point:
    """Which thread makes a call differs from life to life: the number is one that several of them come to."""
    call = dice.choice(sorted(calls))
    effects = ["KILL", "POWER" if can_lose_power else "KILL", *CAN_FAIL.get(call, ())]
    return Point(call, dice.randint(1, dice.choice(calls[call])), dice.choice(effects))


@dataclass(frozen=True)
class Tried:
    seed: int
    point: Point
    found: list[str]  # by the checker
    was_hit: bool


class Campaign:
    """Points chosen by a seed, each in a folder of its own."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path, keep: pathlib.Path | None = None) -> None:
        self.build, self.folder, self.keep = build, folder, keep
        self.calls = count_calls(build, folder / "reference")
        self.can_lose_power = can_mount(build)

    def run(self, seed: int, looks_at_disk: bool) -> Tried:
        point = choose(self.calls, random.Random(seed), self.can_lose_power)
        here = self.folder / str(seed)
        with contextlib.ExitStack() as used:
            disk = used.enter_context(LossyMount(self.build, here, seed)) if point.effect == "POWER" else None
            life = used.enter_context(Life(self.build, here, disk=disk))
            injected = strace("-o", "/dev/null", "-e", f"trace={point.call}", "-e", point.injection())
            found = live_through(life, injected, looks_at_disk)
            if found and self.keep:
                (here / "ledger.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in life.model.ledger()))
                shutil.copytree(here, self.keep / str(seed), dirs_exist_ok=True, ignore=shutil.ignore_patterns("mount"))
        shutil.rmtree(here)
        return Tried(seed, point, found, life.was_hit)

    def run_all(self, seed: int, points: int, jobs: int):
        """Each of them as it is done."""
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            tried = [pool.submit(self.run, seed + number, number % DISK_LOOKS_EVERY == 0) for number in range(points)]
            for done in concurrent.futures.as_completed(tried):
                yield done.result()


def kill_at_random(build: pathlib.Path, kills: int, seed: int, keep: pathlib.Path | None) -> int:
    lives = -(-kills // crowd.KILLS)
    failed = 0
    for number in range(lives):
        if found := play(build, "crowd", seed + number, keep):
            failed += 1
            print(f"--random {crowd.KILLS} --seed {seed + number}:\n  " + "\n  ".join(found[:10]), flush=True)
    print(f"seed {seed}: {lives * crowd.KILLS} kills, {crowd.ITEMS} items each time {crowd.KILLS} of them, {len(INVARIANTS)} invariants")
    print(f"{lives - failed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1, help="points at a time")
    parser.add_argument("--random", type=int, metavar="N", help="so many kills at random moments under load, and no points")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=pathlib.Path, help="where the history and the ledger of points that failed are left")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    if arguments.random:
        return kill_at_random(arguments.build_dir, arguments.random, seed, arguments.keep)
    started = time.monotonic()
    failed = hits = 0
    effects: collections.Counter = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="sheaf-kill-") as folder:
        campaign = Campaign(arguments.build_dir.resolve(), pathlib.Path(folder), arguments.keep)
        print(f"seed {seed}; calls of a life: {campaign.calls}", flush=True)
        if not campaign.can_lose_power:
            print("no power is cut: there is no FUSE here", flush=True)
        for tried in campaign.run_all(seed, arguments.points, arguments.jobs):
            effects[tried.point.effect] += 1
            hits += tried.was_hit
            if tried.found:
                failed += 1
                print(f"--seed {tried.seed} --points 1: {tried.point}\n  " + "\n  ".join(tried.found[:10]), flush=True)
    print(f"{dict(effects)}, {hits} in the middle of what clients did, {len(INVARIANTS)} invariants, {time.monotonic() - started:.0f} s")
    print(f"{arguments.points - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
