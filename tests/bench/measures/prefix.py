"""How much of a shared prefix is computed again (PERFORMANCE P20 and 3.2, all sizes a tenth of the simulation's)."""
import concurrent.futures
import contextlib
import http.client
import json
import random
import shutil
import urllib.parse

from harness import PAIRS, SERVER_CORE, row, sheaf
from measures.text_batches import config, create, model_server, upload, wait_until_all_succeeded

ITEMS = 10_000
SERVERS = 4
SLOTS = 8  # of each server: what runs at once must fit in its cache, as in the simulation
KV_TOKENS = 20_000
PREFIX_TOKENS = (500, 4000)
SUFFIX_TOKENS = 200
BLOCK = 16  # tokens that are cached as one; see tests/support/model_server/kv_cache.h
# One character counts as one token, so that the batch stays small.
SERVER = ["--slots", SLOTS, "--latency-ms", 5, "--kv-tokens", KV_TOKENS, "--prefill-tokens-per-s", 100_000, "--chars-per-token", 1]


def text(draw, length):
    return f"{draw.getrandbits(4 * length):0{length}x}"


def in_system_prompt(prefix, suffix):
    return [{"role": "system", "content": prefix}, {"role": "user", "content": suffix}]


def in_first_part(prefix, suffix):
    return [{"role": "user", "content": [{"type": "text", "text": prefix}, {"type": "text", "text": suffix}]}]


def templates(draw):
    """200 templates, all as likely."""
    return [draw.randrange(200) for _ in range(ITEMS)], in_system_prompt


def documents(draw):
    """500 documents, the most wanted first (Zipf, exponent 1)."""
    return draw.choices(range(500), weights=[1 / (rank + 1) for rank in range(500)], k=ITEMS), in_first_part


def videos(_):
    """1,250 documents with eight questions each."""
    return [number // 8 for number in range(ITEMS)], in_first_part


def distinct(_):
    """Nothing is shared."""
    return list(range(ITEMS)), in_system_prompt


def make(workload, seed):
    """The bodies in an order of chance, and the tokens that must be computed when each prefix is computed once."""
    draw = random.Random(seed)
    chosen, placed = workload(draw)
    draw.shuffle(chosen)
    prefixes = {number: text(draw, draw.randint(*PREFIX_TOKENS)) for number in sorted(set(chosen))}
    cached = {number: len(prefix) // BLOCK * BLOCK for number, prefix in prefixes.items()}
    ideal = sum(len(prefixes[number]) + SUFFIX_TOKENS - cached[number] for number in chosen) + sum(cached.values())
    bodies = [json.dumps({"model": "stand-in", "max_tokens": 16, "messages": placed(prefixes[number], text(draw, SUFFIX_TOKENS))})
              for number in chosen]
    return bodies, ideal


def run(build, folder, bodies):
    """Tokens computed by all servers, and seconds from the first request to the last answer."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(model_server(build, folder / f"model-{number}", *SERVER)) for number in range(SERVERS)]
        settings = config([server.url for server in servers], SERVERS * SLOTS)
        _, port, key = stack.enter_context(sheaf(build, folder / "sheaf", settings, core=SERVER_CORE))
        batch = create(port, key, upload(port, key, folder, bodies))
        wait_until_all_succeeded(port, key, batch, every_s=0.1)
        stats = [server.stats() for server in servers]
    shutil.rmtree(folder)
    seconds = (max(s["last_ended_us"] for s in stats) - min(s["first_arrived_us"] for s in stats if s["requests"])) / 1e6
    return sum(s["prefill_tokens"] for s in stats), seconds


def run_in_order(build, folder, bodies):
    """Seconds that a client takes which sends the bodies as they come, over as many connections to each server as it has slots."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(model_server(build, folder / f"model-{number}", *SERVER)) for number in range(SERVERS)]
        waiting = iter(bodies)

        def send(server):
            address = urllib.parse.urlsplit(server.url)
            connection = http.client.HTTPConnection(address.hostname, address.port)
            while (body := next(waiting, None)) is not None:
                connection.request("POST", f"{address.path}/chat/completions", body, {"Content-Type": "application/json"})
                connection.getresponse().read()

        with concurrent.futures.ThreadPoolExecutor(SERVERS * SLOTS) as threads:
            list(threads.map(send, servers * SLOTS))
        stats = [server.stats() for server in servers]
    shutil.rmtree(folder)
    return (max(s["last_ended_us"] for s in stats) - min(s["first_arrived_us"] for s in stats)) / 1e6


def bench_prefix(build, folder):
    """Sheaf on core 0, four model servers on the last core."""
    rows = []
    for name, workload in (("200 templates", templates), ("500 documents, Zipf", documents), ("1,250 videos x 8", videos)):
        ours, ideals = [], []
        for turn in range(PAIRS):
            bodies, ideal = make(workload, seed=turn)
            ours.append(run(build, folder / "run", bodies)[0])
            ideals.append(ideal)
        rows.append(row(f"{name}: prefill against each prefix once", ours, ideals, "tokens", 1.10, at_most=True))
    ours, theirs = [], []
    for turn in range(PAIRS):
        bodies, _ = make(distinct, seed=turn)
        ours.append(run(build, folder / "run", bodies)[1])
        theirs.append(run_in_order(build, folder / "run", bodies))
    rows.append(row("nothing shared, against a client that sends them as they come", ours, theirs, "s", 1.01, at_most=True))
    return rows
