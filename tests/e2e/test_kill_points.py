"""The server is killed, its power goes or its disk fails, at a hundred of its durable system calls, and a checker that knows only what clients
saw finds nothing lost, doubled or changed. Most of them with the release build, where there is one, which is quicker.
`./dev kill --points N` runs more of them."""

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reliability"))

from kill import Campaign  # noqa: E402

POINTS = 100
POINTS_OF_TEST = 10
WITH_SANITIZERS = 20
RELEASE = Path(__file__).resolve().parent.parent.parent / "build" / "release"
SEED = int(os.environ.get("SHEAF_TEST_SEED", random.SystemRandom().randrange(1 << 32)))


@pytest.mark.long
@pytest.mark.timeout(420)
@pytest.mark.parametrize("first", range(0, POINTS, POINTS_OF_TEST))
def test_nothing_is_lost_at_a_kill_point(build_dir, tmp_path, monkeypatch, first):
    # Leaks are not looked for below strace, which does what the search would do itself.
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    is_quick = first >= WITH_SANITIZERS and (RELEASE / "sheaf").exists() and (RELEASE / "model_server").exists()
    campaign = Campaign(RELEASE if is_quick else build_dir.resolve(), tmp_path)
    tried = list(campaign.run_all(SEED + first, POINTS_OF_TEST, jobs=2 if is_quick else 1))
    broken = [f"./dev kill --seed {point.seed} --points 1: {point.point}: {what}" for point in tried for what in point.found]
    assert not broken, "\n".join(broken)
    assert sum(point.was_hit for point in tried) >= POINTS_OF_TEST / 3, "nothing was injected"
