"""What a server keeps resident."""
import time

from harness import PAIRS, call, resident_mib, row, sheaf


def bench_memory(build, folder):
    """What a server that has just started, and has nothing to do, keeps resident; the limit is the yardstick."""
    ours = []
    for turn in range(PAIRS):
        with sheaf(build, folder / str(turn)) as (process, port, key):
            call(port, key, "GET", "/healthz")
            time.sleep(1)
            ours.append(resident_mib(process.pid))
    return [row("resident memory at rest against 40 MiB", ours, [40.0] * PAIRS, "MiB", 1.0, at_most=True)]
