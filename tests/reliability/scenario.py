"""The reference life: what clients do while a server is killed or its disk fails.

Two batches that run to their end (one created under a key), one that is canceled in the middle, one that is deleted when it
has ended; looks, lists and readings in between. Each step is repeated until its outcome is known, or known to be unknown.
"""
import itertools
import time

from history import Client, Gone

SMALL, LARGE = 24, 60


class Scenario:
    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.kept, self.keyed, self.canceled, self.deleted = (self.items(count) for count in (LARGE, SMALL + 1, LARGE + 1, SMALL))
        self.batches: dict[str, str | None] = {}
        self.steps = iter((self.create_kept, self.create_keyed, self.create_canceled, self.cancel, self.create_deleted, self.read_some,
                           self.delete, self.look_at_all))
        self.step = next(self.steps)

    def items(self, count: int) -> list[str]:
        return [f"item-{next(self.numbers):07}" for _ in range(count)]

    def run(self, client: Client) -> bool:
        """True when all steps are done; False when the server went away."""
        try:
            while self.step is not None:
                self.step(client)
                self.step = next(self.steps, None)
        except Gone:
            return False
        return True

    def create(self, client: Client, name: str, items: list[str]) -> None:
        """Without a key an unknown outcome stays unknown: the batch may turn up in the lists."""
        if name in self.batches:
            return
        self.batches[name] = None
        self.batches[name] = client.create_anthropic(items)
        client.look(self.batches[name])

    def create_kept(self, client: Client) -> None:
        self.create(client, "kept", self.kept)

    def create_keyed(self, client: Client) -> None:
        self.batches["keyed"] = client.create_sail(self.keyed, "the-key")
        client.look(self.batches["keyed"])

    def create_canceled(self, client: Client) -> None:
        self.create(client, "canceled", self.canceled)

    def cancel(self, client: Client) -> None:
        if self.batches["canceled"] is None:
            return
        wait_until(lambda: (seen := client.look(self.batches["canceled"])) is None or seen["shown"]["counts"]["succeeded"] > 5)
        client.cancel(self.batches["canceled"])

    def create_deleted(self, client: Client) -> None:
        self.create(client, "deleted", self.deleted)

    def read_some(self, client: Client) -> None:
        for batch in filter(None, self.batches.values()):
            client.results(batch)
        client.list()

    def delete(self, client: Client) -> None:
        batch = self.batches["deleted"]
        if batch is None:
            return
        wait_until(lambda: (seen := client.look(batch)) is None or seen["shown"]["state"] == "ended")
        client.delete(batch)

    def look_at_all(self, client: Client) -> None:
        for name, batch in self.batches.items():
            if batch is not None and name != "deleted":
                wait_until(lambda: (seen := client.look(batch)) is None or seen["shown"]["state"] == "ended")
                client.results(batch)

    def settle(self, client: Client) -> None:
        """When faults are over: asks once more under the key, and lets all end."""
        client.create_sail(self.keyed, "the-key")
        settle(client)


def settle(client: Client) -> None:
    """Waits for all to end, and reads all there is."""
    for batch in client.list():
        if (seen := client.look(batch)) is not None and seen["shown"]["state"] != "ended":
            wait_until(lambda: client.look(batch)["shown"]["state"] == "ended")
    client.history.mark("settled")
    for batch in client.list():
        client.look(batch)
        client.results(batch)


def wait_until(what, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)
