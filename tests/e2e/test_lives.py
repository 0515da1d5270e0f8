"""Each life is played once on the real server, and a checker that knows only what clients, model servers and webhooks' targets saw
finds nothing broken. `tests/reliability/play.py --times N` plays them more often."""

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reliability"))

from play import LIVES, play  # noqa: E402

SEED = int(os.environ.get("SHEAF_TEST_SEED", random.SystemRandom().randrange(1 << 32)))


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(LIVES))
def test_nothing_is_broken_in_a_life(build_dir, name):
    found = play(build_dir, name, SEED)
    assert not found, f"--life {name} --seed {SEED}:\n" + "\n".join(found)
