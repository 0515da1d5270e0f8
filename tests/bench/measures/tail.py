"""The end of a batch whose items take very different times (PERFORMANCE P21 and 3.2, a hundred times as fast)."""
import math
import random
import shutil

from harness import PAIRS, SERVER_CORE, row, sheaf
from measures.text_batches import chat_body, config, create, model_server, upload, wait_until_all_succeeded

SLOTS = 256
MEAN_MS, SIGMA, CAP_MS = 140, 0.8, 6000
MS_PER_TOKEN = 10
NOISE = 0.5  # of noisy hints: sigma of the factor


def times(count, draw):
    """Lognormal, in milliseconds."""
    mu = math.log(MEAN_MS) - SIGMA * SIGMA / 2
    return [max(1, round(min(CAP_MS, draw.lognormvariate(mu, SIGMA)))) for _ in range(count)]


def makespan(build, folder, costs, noise, draw):
    """Seconds from the first request to the last answer; `max_tokens` tells, more or less, how long an item takes."""
    def body(number, cost):
        tokens = max(1, round(cost / MS_PER_TOKEN * (draw.lognormvariate(0, noise) if noise else 1)))
        return chat_body(number, f"Tell me a story. cost_ms={cost}", tokens)

    with model_server(build, folder / "model", "--slots", SLOTS, "--metrics", "none") as server, \
            sheaf(build, folder / "sheaf", config([server.url], SLOTS), core=SERVER_CORE) as (_, port, key):
        batch = create(port, key, upload(port, key, folder, [body(number, cost) for number, cost in enumerate(costs)]))
        wait_until_all_succeeded(port, key, batch)
        stats = server.stats()
    shutil.rmtree(folder)
    return (stats["last_ended_us"] - stats["first_arrived_us"]) / 1e6


def bench_tail(build, folder):
    """Sheaf on core 0, the model server on the last core; against max(all work / slots, the longest item)."""
    rows = []
    for count in (2_000, 10_000):
        for hints, noise, target in (("true hints", 0, 1.05), (f"hints off by a factor of sigma {NOISE}", NOISE, 1.15)):
            ours, bounds = [], []
            for turn in range(PAIRS):
                draw = random.Random(turn)
                costs = times(count, draw)
                ours.append(makespan(build, folder / "run", costs, noise, draw))
                bounds.append(max(sum(costs) / SLOTS, max(costs)) / 1000)
            rows.append(row(f"{count:,} items, {hints}, against the bound", ours, bounds, "s", target, at_most=True))
    return rows
