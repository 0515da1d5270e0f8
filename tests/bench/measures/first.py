"""How soon a batch that was acknowledged is at the model server (PERFORMANCE P12)."""
import http.client
import json
import time

from harness import PAIRS, SERVER_CORE, row, sheaf
from measures.text_batches import REVIEW, against, config, model_server

BATCHES = 200


def waits(build, folder):
    """Milliseconds from the acknowledgement of a batch of one, as its client sees it, to its request's arrival; below 0 when that came first."""
    with model_server(build, folder / "model", "--ledger") as server, \
            sheaf(build, folder / "sheaf", config([server.url], 64), core=SERVER_CORE) as (_, port, key):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        acknowledged = {}
        for number in range(BATCHES):
            name = f"item-{number:07}"
            asked = {"model": "stand-in", "max_tokens": 16, "messages": [{"role": "user", "content": f"{REVIEW} id={name}"}]}
            connection.request("POST", "/v1/messages/batches", json.dumps({"requests": [{"custom_id": name, "params": asked}]}),
                               {"x-api-key": key, "anthropic-version": "2023-06-01", "Content-Type": "application/json"})
            connection.getresponse().read()
            acknowledged[name] = time.monotonic_ns() / 1e3
            time.sleep(0.01)
        server.wait_for(lambda stats: stats["answered"] == BATCHES, timeout_s=30)
        return sorted((entry["arrived_us"] - acknowledged[entry["id"]]) / 1e3 for entry in server.ledger())


def bench_first(build, folder):
    """Sheaf on core 0, the model server and the client on the last core."""
    median, worst = [], []
    for turn in range(PAIRS):
        found = waits(build, folder / str(turn))
        median.append(found[BATCHES // 2])
        worst.append(found[BATCHES * 99 // 100])
    return [row("from ack to the model server, median, against 1 ms", median, against(1), "ms", 1.0, at_most=True),
            row("the same, 99 of 100, against 5 ms", worst, against(5), "ms", 1.0, at_most=True)]
