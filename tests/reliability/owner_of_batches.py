"""Clients of several nodes under faults: owners of batches, and those who are in the middle of a create when a fault comes."""
import contextlib
import itertools
import random
import threading
import time

from history import Client, Gone, History

ITEMS_MIN, ITEMS_MAX = 20, 80
AGAIN_AFTER_S = 0.3
CALL_TIMEOUT_S = 10
SMALL, CREATES_MAX = 3, 40  # items, and batches, of those who are in the middle of a create
FATES = ("kept", "kept", "kept", "canceled", "deleted", "left")


def new_items(numbers: itertools.count, count: int) -> list[str]:
    return [f"item-{next(numbers):07}" for _ in range(count)]


class CreatorOfBatches(threading.Thread):
    """Creates small batches without a key, one after another, until nobody says what became of one."""

    def __init__(self, client: Client, numbers: itertools.count) -> None:
        super().__init__(daemon=True)
        self.opened, self.numbers = client, numbers

    def run(self) -> None:
        with self.opened as client, contextlib.suppress(Gone):
            for _ in range(CREATES_MAX):
                client.create_anthropic(new_items(self.numbers, SMALL))


class OwnerOfBatches(threading.Thread):
    """Makes batches and does one thing after another with each, every time through any node.

    Nobody else touches them: what it was told by one node must hold in what it asks of the next.
    """

    def __init__(self, history: History, nodes: dict[str, str], key: str, numbers: itertools.count, seed: str) -> None:
        super().__init__(daemon=True)
        self.clients = [Client(history, url, key, node=name, timeout_s=CALL_TIMEOUT_S) for name, url in nodes.items()]
        self.numbers, self.dice = numbers, random.Random(seed)
        self.leaves = threading.Event()
        self.broke_by: Exception | None = None

    def run(self) -> None:
        try:
            while not self.leaves.is_set():
                with contextlib.suppress(Gone):
                    self.live_through_a_batch()
                time.sleep(AGAIN_AFTER_S)
        except Exception as error:  # told by leave(), on the thread that judges
            self.broke_by = error

    def leave(self) -> None:
        """What it is at is done first. It may have left, or never come."""
        self.leaves.set()
        if self.is_alive():
            self.join()
        for client in self.clients:
            client.http.close()
        if self.broke_by:
            raise self.broke_by

    def client(self) -> Client:
        return self.dice.choice(self.clients)

    def insist(self, ask):
        """The first answer that says what happened."""
        while True:
            try:
                return ask(self.client())
            except Gone:
                if self.leaves.is_set():
                    raise
                time.sleep(AGAIN_AFTER_S)

    def create(self) -> str:
        """Without a key an unknown outcome stays unknown: the batch may turn up in the lists."""
        items = new_items(self.numbers, self.dice.randint(ITEMS_MIN, ITEMS_MAX))
        key = f"key of {items[0]}"
        match self.dice.choice(("anthropic", "openai", "sail")):
            case "anthropic":
                return self.client().create_anthropic(items)
            case "openai":
                file = self.insist(lambda client: client.upload_openai(items))
                return self.insist(lambda client: client.create_openai(items, key, file=file))
            case "sail":
                return self.insist(lambda client: client.create_sail(items, key))

    def live_through_a_batch(self) -> None:
        batch = self.create()
        if self.dice.random() < 0.3:
            self.insist(lambda client: client.list(pages_max=1))
        fate = self.dice.choice(FATES)
        if fate == "left":
            self.insist(lambda client: client.look(batch))
            return
        if fate == "canceled":
            self.watch(batch, lambda shown: shown["counts"]["succeeded"] > 5)
            self.insist(lambda client: client.cancel(batch))
        self.watch(batch, lambda shown: False)
        if fate == "deleted":
            self.insist(lambda client: client.delete(batch))
            for client in self.clients:
                with contextlib.suppress(Gone):
                    client.look(batch)
                    client.results(batch)

    def watch(self, batch: str, is_enough) -> None:
        """Looks and reads now and then until it has ended, or enough was seen."""
        while not self.leaves.is_set():
            shown = self.insist(lambda client: client.look(batch))["shown"]
            if self.dice.random() < 0.2 or shown["state"] == "ended":
                self.insist(lambda client: client.results(batch))
            if shown["state"] == "ended" or is_enough(shown):
                return
            time.sleep(self.dice.uniform(0.1, 0.6))
