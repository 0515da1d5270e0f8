"""A batch of thousands on a quick model server; the server is killed at random moments while it runs."""
import pathlib
import random
import time

from checker import check
from history import Client, Gone, History
from model_server_process import ModelServer
from sheaf_server import SheafServer
from stage import wait_until

ITEMS = 4_000
SLOTS = 64
LATENCY_MS = 20
KILLS = 3
ATTEMPTS_MAX = 6


def run(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    dice = random.Random(seed)
    folder.mkdir(parents=True)
    history = History(folder / "history.jsonl")
    model = ModelServer(build / "model_server", folder, "--ledger", "--latency-ms", LATENCY_MS, "--slots", SLOTS, "--fault", "500:0.01",
                        "--fault", "cut:0.01")
    with model:
        server = SheafServer(build / "sheaf", folder, models=[
            {"name": "m", "backend": "chat", "urls": [model.url], "model": "stand-in", "concurrency": SLOTS, "retry_first_wait_ms": 5,
             "attempts_max": ATTEMPTS_MAX}])
        key = server.create_key("anna").key
        server.start()
        try:
            live(server, key, history, dice)
        except Gone:
            return [f"it went away without a reason:\n{server.log(20)}"]
        finally:
            server.kill()
        return check(history.events(), model.ledger(), ATTEMPTS_MAX)


def live(server: SheafServer, key: str, history: History, dice: random.Random) -> None:
    items = [f"item-{number:07}" for number in range(ITEMS)]
    with Client(history, server.url, key) as client:
        batch = client.create_anthropic(items)
        client.look(batch)
    for kill in range(KILLS):
        with Client(history, server.url, key) as client:
            look_for(client, batch, dice.uniform(0, 0.5))
        history.mark("kill")
        server.kill()
        server.start()
        with Client(history, server.url, key) as client:
            client.look(batch)
            if kill == dice.randrange(KILLS):
                client.results(batch)
    with Client(history, server.url, key) as client:
        wait_until(lambda: client.has_ended(batch), 60)
        history.mark("settled")
        client.list()
        client.look(batch)
        client.results(batch)


def look_for(client: Client, batch: str, for_s: float) -> None:
    until = time.monotonic() + for_s
    while (left := until - time.monotonic()) > 0:
        client.look(batch)
        time.sleep(min(left, 0.05))
