"""Batches of a test's own on a server whose disk, descriptors or memory fail, and what must hold when that is over."""
from history import Client
from kill import Life
from scenario import settle


class Work:
    def __init__(self, life: Life) -> None:
        self.life = life
        self.created: list[str] = []

    def create(self, client: Client, first: int, count: int) -> str:
        """A batch of the items from number `first` on; its id of all protocols, which lists have."""
        batch = client.create_anthropic([f"item-{number:07}" for number in range(first, first + count)])
        self.created.append(batch)
        return client.look(batch)["shown"]["id"]

    def end_well(self, client: Client, but: str | None = None) -> None:
        """All that clients were promised is there (`but` an invariant that the fault excuses), the server stops in order, and the
        data directory is sound."""
        for batch in self.created:
            client.look(batch)
        settle(client)
        broken = [what for what in self.life.broken() if what.partition(":")[0] != but]
        assert not broken, "\n".join(broken)
        server = self.life.server
        assert server.stop() == 0, server.log()
        checked = server.cli("fsck", "--data", str(server.data))
        assert checked.returncode == 0, checked.stdout + checked.stderr


def state(client: Client, batch: str) -> str:
    return client.look(batch)["shown"]["state"]


def count(client: Client, batch: str, name: str) -> int:
    return client.look(batch)["shown"]["counts"][name]
