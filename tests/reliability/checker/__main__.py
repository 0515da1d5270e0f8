"""Judges a history that was kept.

    python tests/reliability/checker --history HISTORY.jsonl --ledger LEDGER.jsonl [--deliveries DELIVERIES.jsonl] [--attempts-max N]

Prints what was broken, each with the name of its invariant, and exits with 1 if anything was.
"""
import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from checker import INVARIANTS, check  # noqa: E402


def read(path: pathlib.Path | None) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=pathlib.Path, required=True)
    parser.add_argument("--ledger", type=pathlib.Path, required=True)
    parser.add_argument("--deliveries", type=pathlib.Path)
    parser.add_argument("--attempts-max", type=int, default=6)
    arguments = parser.parse_args()
    events, ledger = read(arguments.history), read(arguments.ledger)
    broken = check(events, ledger, arguments.attempts_max, read(arguments.deliveries))
    for each in broken:
        print(each)
    print(f"{len(events)} events, {len(ledger)} requests to the model server, {len(INVARIANTS)} invariants: {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
