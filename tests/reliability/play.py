#!/usr/bin/env python3
"""Plays lives on a real server, each with a seed of its own, and lets the checker judge what clients, models and targets saw.

    play.py --build-dir build/release [--life NAME]… [--times N] [--seed S] [--keep DIR]

The last line is "N passed, N failed". A life that failed prints its seed.
"""
import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lives import LIVES  # noqa: E402


def play(build: pathlib.Path, name: str, seed: int, keep: pathlib.Path | None = None) -> list[str]:
    """What the checker found in one life; its history and ledgers stay in `keep` when it found anything."""
    with tempfile.TemporaryDirectory(prefix=f"sheaf-{name}-") as folder:
        here = pathlib.Path(folder) / str(seed)
        found = LIVES[name](build.resolve(), here, seed)
        if found and keep:
            shutil.copytree(here, keep / f"{name}-{seed}", ignore=shutil.ignore_patterns("data", "postgres", "shared"), dirs_exist_ok=True)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--life", action="append", choices=sorted(LIVES), help="all of them unless it is named")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=pathlib.Path, help="where the histories and ledgers of lives that failed are left")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    passed = failed = 0
    for name in arguments.life or sorted(LIVES):
        began = time.monotonic()
        for number in range(arguments.times):
            found = play(arguments.build_dir, name, seed + number, arguments.keep)
            passed, failed = passed + (not found), failed + bool(found)
            if found:
                print(f"--life {name} --seed {seed + number}:\n  " + "\n  ".join(found[:10]), flush=True)
        print(f"{name}: {arguments.times} lives, {(time.monotonic() - began) / arguments.times:.1f} s each", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
