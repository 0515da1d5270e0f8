"""Some lives of simulated servers, each of them twice, below the sanitizers. `./dev sim` lives more, and faster."""

import os
import random
import subprocess

import pytest

LIVES = 150
SEED = int(os.environ.get("SHEAF_TEST_SEED", random.SystemRandom().randrange(1 << 32)))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_lives_are_what_their_seeds_decide_and_break_no_promise(build_dir):
    lived = subprocess.run([build_dir / "sheaf_sim", "--lives", str(LIVES), "--seed", str(SEED), "--twice"], capture_output=True, text=True)
    assert lived.returncode == 0, lived.stdout + lived.stderr
    assert lived.stdout.splitlines()[-1] == f"{LIVES} passed, 0 failed"
