"""Concurrency that finds its limit by itself, against the best fixed one (PERFORMANCE P15)."""
import contextlib
import shutil
import time

from harness import PAIRS, SERVER_CORE, row, sheaf
from measures.text_batches import against, chat_body, config, create, model_server, upload

LATENCY_MS = 200
BEST = 64
# Beyond 64 at once the one gets slower and says nothing; the other refuses what would have to wait for more than a moment.
KNEE = ["--knee", BEST]
REFUSING = ["--slots", BEST, "--queue-max", BEST // 4]
FIXED = (16, 32, 48, 64, 80, 96, 128, 192, 256)
ITEMS = 60_000
SWEEP_SETTLE_S, SWEEP_S = 1.5, 3
SETTLE_S, MEASURE_S = 10, 8
STEP_S = 45


@contextlib.contextmanager
def at_work(build, folder, concurrency, server_arguments):
    """A server that has started on more items than it will do; yields its model server. It is killed in the end."""
    with model_server(build, folder / "model", "--latency-ms", LATENCY_MS, "--metrics", "none", *server_arguments) as server, \
            sheaf(build, folder / "sheaf", config([server.url], concurrency), core=SERVER_CORE) as (process, port, key):
        create(port, key, upload(port, key, folder, (chat_body(number) for number in range(ITEMS))))
        server.wait_for(lambda stats: stats["answered"] > 0, timeout_s=30)
        yield server
        process.kill()
    shutil.rmtree(folder)


def answered_per_second(build, folder, concurrency, server_arguments, settle_s, measure_s):
    """Of a settled server; and the share of what it was sent that it refused."""
    with at_work(build, folder, concurrency, server_arguments) as server:
        time.sleep(settle_s)
        before = server.stats()
        time.sleep(measure_s)
        after = server.stats()
    gained = {name: after[name] - before[name] for name in ("answered", "refused", "now_us")}
    return gained["answered"] / gained["now_us"] * 1e6, gained["refused"] / max(1, gained["answered"] + gained["refused"])


def seconds_until_near(server, best_per_second, given_s):
    """Until what is answered within a second stays within 10 % of the best for three seconds; given_s when it never does."""
    since, near_since, last = time.monotonic(), None, server.stats()
    while (passed := time.monotonic() - since) < given_s:
        time.sleep(1)
        now = server.stats()
        speed = (now["answered"] - last["answered"]) / (now["now_us"] - last["now_us"]) * 1e6
        last = now
        if speed < 0.9 * best_per_second:
            near_since = None
        elif near_since is None:
            near_since = passed
        elif passed - near_since >= 3:
            return near_since
    return given_s


def bench_steps(build, folder):
    """The knee goes from 256 to 64 and back; how long until the speed is right again."""
    down, up = [], []
    for _ in range(PAIRS):
        with at_work(build, folder / "step", "auto", ["--knee", 256]) as server:
            seconds_until_near(server, 256 / LATENCY_MS * 1000, STEP_S)
            server.control(knee=64)
            down.append(seconds_until_near(server, 64 / LATENCY_MS * 1000, STEP_S))
            server.control(knee=256)
            up.append(seconds_until_near(server, 256 / LATENCY_MS * 1000, STEP_S))
    return [row("within 10 % of the best after 256 to 64, against 30 s", down, against(30), "s", 1.0, at_most=True),
            row("and after 64 to 256", up, against(30), "s", 1.0, at_most=True)]


def bench_adaptive(build, folder):
    """Sheaf on core 0, the model server on the last core."""
    rows = []
    for name, arguments in (("a knee, no refusals", KNEE), ("refusals", REFUSING)):
        sweep = {limit: answered_per_second(build, folder / "sweep", limit, arguments, SWEEP_SETTLE_S, SWEEP_S)[0] for limit in FIXED}
        print(f"  {name}: " + ", ".join(f"{limit}: {speed:,.0f}/s" for limit, speed in sweep.items()))
        best = max(sweep, key=sweep.get)
        ours, theirs, refused = [], [], []
        for _ in range(PAIRS):
            speed, share = answered_per_second(build, folder / "ours", "auto", arguments, SETTLE_S, MEASURE_S)
            ours.append(speed)
            refused.append(share)
            theirs.append(answered_per_second(build, folder / "fixed", best, arguments, SWEEP_SETTLE_S, MEASURE_S)[0])
        rows.append(row(f"{name}: adaptive against the best fixed limit, {best}", ours, theirs, "items/s", 0.95))
        rows.append(row(f"{name}: share refused, against 2 %", refused, against(0.02), "refused", 1.0, at_most=True))
    return rows + bench_steps(build, folder)
