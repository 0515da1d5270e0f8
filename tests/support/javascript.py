"""Runs scenarios of tests/e2e/js/scenarios.js, which drive the official JavaScript client."""

import json
import os
import subprocess
from pathlib import Path

SCENARIOS = Path(__file__).resolve().parent.parent / "e2e" / "js" / "scenarios.js"


def run(scenario: str, arguments: dict, *, base_url: str, key: str, timeout_s: float):
    """What the scenario returned. A scenario that throws fails the test with its stack."""
    environment = {**os.environ, "TWELVELABS_BASE_URL": base_url, "TWELVE_LABS_API_KEY": key}
    done = subprocess.run(["node", str(SCENARIOS), scenario, json.dumps(arguments)], capture_output=True, text=True,
                          env=environment, stdin=subprocess.DEVNULL, timeout=timeout_s)
    assert done.returncode == 0, f"{scenario}: node ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    # The library prints to stdout as it uploads; the scenario's own word is the last line.
    return json.loads(done.stdout.strip().split("\n")[-1])
