"""Runs scenarios of tests/e2e/js, which drive the official JavaScript clients."""

import json
import os
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "e2e" / "js"
NODE = os.environ.get("SHEAF_TEST_NODE", "node")


def run(file: str, scenario: str, arguments: dict, *, environment: dict[str, str], timeout_s: float):
    """What a scenario of the file returned. A scenario that throws fails the test with its stack.

    `environment` tells the library where the server is and by which key, as its users would.
    """
    done = subprocess.run([NODE, str(FOLDER / file), scenario, json.dumps(arguments)], capture_output=True, text=True,
                          env={**os.environ, **environment}, stdin=subprocess.DEVNULL, timeout=timeout_s)
    assert done.returncode == 0, f"{scenario}: node ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    # The library prints to stdout as it uploads; the scenario's own word is the last line.
    return json.loads(done.stdout.strip().split("\n")[-1])
