#!/usr/bin/env python3
"""Shows the checker servers that have a bug, and counts how many it names.

    planted.py --build-dir build/release [--bugs 1,5,9 | --rotation N] [--seed S] [--keep DIR]

planted/NN-NAME.patch is a bug: what it is, which life shows it, which invariant must name it. The server is built with all of
them (planted_build.py), and first lives each life that is used without any, and the reference life: the checker must say nothing.
Then it lives with each bug until the checker says something by the right name. The last line is "N passed, N failed".
"""
import argparse
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import planted_lives  # noqa: E402
from lossy_mount import can_mount  # noqa: E402
from planted_build import build_planted, patches  # noqa: E402

IN_ROTATION = 6
TRIES_MAX = 8
SECONDS_MAX = 150  # of one bug: no try begins later


@dataclass(frozen=True)
class Bug:
    number: int
    name: str
    life: str
    invariant: str

    @staticmethod
    def read(path: pathlib.Path) -> "Bug":
        about = re.search(r"^Life: (\w+)\. Named by: (\w+)\.$", path.read_text(), re.MULTILINE)
        return Bug(int(path.name[:2]), path.stem[3:].replace("-", " "), about[1], about[2])

    @property
    def needs_power(self) -> bool:
        return hasattr(getattr(planted_lives, self.life), "needs_power")

    def __str__(self) -> str:
        return f"{self.number:2} {self.name}"


class Play:
    """The server with bugs, a folder, and where to leave what is kept."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path, keep: pathlib.Path | None) -> None:
        self.build, self.folder, self.keep = build, folder, keep

    def live(self, life: str, number: int, seed: int) -> list[str]:
        """What the checker says. Number 0 is no bug."""
        here = self.folder / f"{number}-{life}-{seed}"
        with planted_lives.environment(SHEAF_PLANTED=str(number)):
            try:
                found = getattr(planted_lives, life)(self.build, here, seed)
            except Exception:  # noqa: BLE001: with a bug anything may come of a life
                found = [f"it could not be lived: {traceback.format_exc(limit=-3)}"]
        if self.keep:
            shutil.copytree(here, self.keep / here.name, dirs_exist_ok=True)
        shutil.rmtree(here)
        return found

    def show(self, bug: Bug, seed: int) -> bool:
        """Whether the checker names it."""
        began, others = time.monotonic(), set()
        for number in range(TRIES_MAX):
            if time.monotonic() - began > SECONDS_MAX:
                break
            found = self.live(bug.life, bug.number, seed + number)
            named = [what for what in found if what.startswith(bug.invariant + ":")]
            if named:
                print(f"{bug}: try {number + 1}, {time.monotonic() - began:.1f} s, of {len(found)}: {named[0]}", flush=True)
                return True
            others |= {what.partition(":")[0] for what in found}
        print(f"{bug}: NOT NAMED by {bug.invariant} in {number + 1} tries of {bug.life} from --seed {seed}; said was {sorted(others)}", flush=True)
        return False


def chosen(bugs: list[Bug], arguments: argparse.Namespace) -> list[Bug]:
    if arguments.bugs:
        numbers = {int(number) for number in arguments.bugs.split(",")}
        return [bug for bug in bugs if bug.number in numbers]
    if arguments.rotation is None:
        return bugs
    turns = len(bugs) // IN_ROTATION
    return bugs[arguments.rotation % turns::turns]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--bugs", help="their numbers, with commas between; all without")
    parser.add_argument("--rotation", type=int, help=f"{IN_ROTATION} of them, others for each number")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=pathlib.Path, help="where each life's history and ledgers are left")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    bugs = chosen([Bug.read(path) for path in patches().values()], arguments)
    began = time.monotonic()
    build = build_planted(arguments.build_dir.resolve()).parent
    print(f"seed {seed}; built in {time.monotonic() - began:.0f} s", flush=True)
    if not can_mount(build):
        for bug in filter(lambda bug: bug.needs_power, bugs):
            print(f"{bug}: left out, for there is no FUSE here", flush=True)
        bugs = [bug for bug in bugs if not bug.needs_power]
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sheaf-planted-") as folder:
        play = Play(build, pathlib.Path(folder), arguments.keep)
        for life in sorted({bug.life for bug in bugs} | {"reference"}):
            if found := play.live(life, 0, seed):
                failed += 1
                print(f"{life} without a bug:\n  " + "\n  ".join(found[:10]), flush=True)
        for bug in bugs:
            is_named = play.show(bug, seed)
            passed, failed = passed + is_named, failed + (not is_named)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
