"""Six of the planted bugs, others each day: servers that have one are shown to the checker, which names it. `./dev planted` shows it all."""

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest

RELIABILITY = Path(__file__).resolve().parent.parent / "reliability"
ROTATION = int(os.environ.get("SHEAF_TEST_ROTATION", datetime.date.today().toordinal()))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_planted_bugs_are_named(build_dir):
    # What leaks is not looked for: a server with a bug is killed, and a child that is preloaded into leaks.
    environment = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    done = subprocess.run([sys.executable, RELIABILITY / "planted.py", "--build-dir", build_dir, "--rotation", str(ROTATION)],
                          capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"./dev planted --rotation {ROTATION}:\n{done.stdout}{done.stderr}"
    print(done.stdout)
