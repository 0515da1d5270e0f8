"""A small batch beside another account's large one."""
import contextlib
import json
import subprocess
import time

from harness import PAIRS, SERVER_CORE, row, sheaf
from measures.text_batches import chat_body, config, create, model_server, upload, wait_until_all_succeeded

SMALL, LARGE = 100, 50_000
SLOTS = 16
LATENCY_MS = 100


def make_key(build, data, account):
    made = subprocess.run([build / "sheaf", "keys", "create", "--data", data, "--account", account, "--json"], capture_output=True,
                          text=True, check=True)
    return json.loads(made.stdout)["key"]


def seconds_of_small(port, key, folder):
    """From the moment the batch is asked for until all its results are there."""
    file = upload(port, key, folder, (chat_body(number) for number in range(SMALL)), "small")
    since = time.monotonic()
    return wait_until_all_succeeded(port, key, create(port, key, file), every_s=0.01) - since


def bench_fairness(build, folder):
    """Two servers on core 0, each with a model server of 16 slots on the last core: one is idle, one has a large batch to do."""
    with contextlib.ExitStack() as stack:
        sites = []
        for name in ("alone", "beside"):
            server = stack.enter_context(model_server(build, folder / f"model-{name}", "--slots", SLOTS, "--latency-ms", LATENCY_MS))
            settings = config([server.url], SLOTS, settings="stop_grace_s = 1")
            _, port, key = stack.enter_context(sheaf(build, folder / name, settings, core=SERVER_CORE))
            sites.append((port, key, server))
        (alone_port, alone_key, _), (port, key, server) = sites
        other_key = make_key(build, folder / "beside" / "data", "other")
        create(port, other_key, upload(port, other_key, folder, (chat_body(number) for number in range(LARGE)), "large"))
        server.wait_for(lambda stats: stats["answered"] > SLOTS, timeout_s=60)
        ours, alone = [], []
        for _ in range(PAIRS):
            alone.append(seconds_of_small(alone_port, alone_key, folder))
            ours.append(seconds_of_small(port, key, folder))
    return [row(f"{SMALL} items beside {LARGE:,} of another account, against alone", ours, alone, "s", 2.2, at_most=True)]
