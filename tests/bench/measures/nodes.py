"""Two nodes on one PostgreSQL: twice the work where the nodes are the limit, and nothing lost when one is killed."""
import collections
import contextlib
import json
import shutil
import time

from harness import PAIRS, SERVER_CORE, call, postgres, row, sheaf, wait_until_ended
from measures.text_batches import against, chat_body, config, create, model_server, upload, wait_until_all_succeeded

SLOTS = 64  # of each node
LATENCY_MS = 200
ITEMS = 3_200


@contextlib.contextmanager
def nodes(build, folder, url, count, *arguments):
    """As many on one database, and their model server, which takes all that they send. Yields it and each one's process, port, key."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(model_server(build, folder / "model", "--latency-ms", LATENCY_MS, "--metrics", "none", *arguments))
        settings = config([server.url], SLOTS, settings=f'shared = "{folder}/shared"')
        started = [stack.enter_context(sheaf(build, folder / f"node-{number}", settings, core=SERVER_CORE, options=["--store", url]))
                   for number in range(count)]
        yield server, started
    shutil.rmtree(folder)


def submit(port, key, folder):
    return create(port, key, upload(port, key, folder, (chat_body(number) for number in range(ITEMS))))


def items_per_second(build, folder, url, count):
    """From the first request to the last durable result."""
    with nodes(build, folder, url, count) as (server, started):
        _, port, key = started[0]
        batch = submit(port, key, folder)
        ended = wait_until_all_succeeded(port, key, batch)
        stats = server.stats()
    if stats["answered"] != ITEMS or stats["running_max"] > count * SLOTS:
        raise SystemExit(f"bench: {count} nodes of {SLOTS} slots ran {ITEMS} items otherwise: {stats}")
    return ITEMS / (ended - stats["first_arrived_us"] / 1e6)


def after_a_kill(build, folder, url):
    """One of two nodes is killed when half is answered: how many items have one result, and after how many seconds the last ran."""
    with nodes(build, folder, url, 2, "--ledger") as (server, [(_, port, key), (process, _, _)]):
        batch = submit(port, key, folder)
        server.wait_for(lambda stats: stats["answered"] >= ITEMS / 2, timeout_s=60)
        process.kill()
        killed = time.monotonic()
        wait_until_ended(port, key, batch)
        lines = call(port, key, "GET", f"/sheaf/v1/batches/{batch}/results")[0].splitlines()
        requests = server.ledger()
    results = collections.Counter(json.loads(line)["custom_id"] for line in lines)
    print(f"  a node killed: {len(requests) - ITEMS} items ran twice")
    return list(results.values()).count(1), max(request["arrived_us"] for request in requests) / 1e6 - killed


def bench_nodes(build, folder):
    """Sheaf and PostgreSQL on core 0, the model server on the last core; both cores are idle for the most part."""
    one, two, kept, seconds = [], [], [], []
    with postgres(folder / "postgres") as url:
        for _ in range(PAIRS):
            two.append(items_per_second(build, folder / "two", url, 2))
            one.append(items_per_second(build, folder / "one", url, 1))
        for _ in range(PAIRS):
            single, took = after_a_kill(build, folder / "killed", url)
            kept.append(single)
            seconds.append(took)
    return [row(f"{ITEMS:,} items, two nodes of {SLOTS} calls at once, against one", two, one, "items/s", 1.6),
            row("one of two killed: items with exactly one result", kept, against(ITEMS), "items", 1.0),
            row("the same: the last of its items runs elsewhere, against 30 s", seconds, against(30), "s", 1.0, at_most=True)]
