"""Two nodes on one PostgreSQL: each is asked for what the other has just told; one of them is killed, or stopped until its work is done
by the other, and then goes on."""
import itertools
import json
import pathlib
import signal
import time

from postgres_server import PostgresServer
from sheaf_server import SheafServer
from stage import Stage, played, wait_until

NODES = ("one", "two")
LEASE_S = 3
ENDS_WITHIN_S = 30


class NodesStage(Stage):
    """Its server is the first of two."""

    def start_servers(self) -> None:
        self.postgres = PostgresServer(self.folder / "postgres").start()
        self.nodes = {name: SheafServer(self.build / "sheaf", self.folder / name, models=self.models(), settings=self.settings() | {
            "store": self.postgres.url, "shared": str(self.folder / "shared"), "lease_s": LEASE_S}) for name in NODES}
        self.server = self.nodes["one"]
        (self.folder / "shared").mkdir()
        for node in self.nodes.values():
            node.start()

    def create_key(self, account: str) -> str:
        done = self.server.cli("keys", "create", "--store", self.postgres.url, "--account", account, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["key"]

    def stop_servers(self) -> None:
        for node in self.nodes.values():
            node.kill()
        self.postgres.crash()

    def client_of(self, node: str):
        return self.client("anna", node, self.nodes[node])


def run(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    return played(NodesStage(build, folder, seed, latency_s=0.1, model={"concurrency": 4}), life)


def life(stage: NodesStage) -> None:
    with stage.client_of("one") as one, stage.client_of("two") as two:
        items = stage.items(60)
        kept = one.create_anthropic(items, {item: "500*1" for item in items[::5]})
        items = stage.items(60)
        canceled = two.create_sail(items, "the-key")
        two.look(canceled)
        one.create_sail(items, "the-key")
        deleted = one.create_openai(stage.items(3))
        read_by_turns(one, two, [kept, canceled, deleted],
                      lambda: (seen := two.look(canceled)) is None or seen["shown"]["counts"]["succeeded"] > 5)
        two.cancel(canceled)
        one.look(canceled)
        read_by_turns(one, two, [kept, canceled, deleted], lambda: one.has_ended(deleted))
        one.delete(deleted)
        two.look(deleted)
        two.results(deleted)
        read_by_turns(one, two, [kept, canceled], lambda: False, stage.dice.uniform(0, 0.3))
        two.page_through("sheaf", 1)
        is_frozen = stage.dice.random() < 0.5
        if is_frozen:
            stage.history.mark("stall")
            stage.nodes["two"].signal(signal.SIGSTOP)
        else:
            stage.history.mark("kill")
            stage.nodes["two"].kill()
        wait_until(lambda: all(one.has_ended(batch) for batch in (kept, canceled)), ENDS_WITHIN_S)
        if is_frozen:
            stage.history.mark("wake")
            stage.nodes["two"].signal(signal.SIGCONT)
            time.sleep(0.5)
        else:
            stage.nodes["two"].start()
    with stage.client_of("two") as two, stage.client_of("one") as one:
        stage.history.mark("settled")
        for client in (two, one):
            for batch in client.list():
                client.look(batch)
                client.results(batch)


def read_by_turns(one, two, batches: list[str], is_over, for_s: float = 5) -> None:
    until = time.monotonic() + for_s
    for reader, other in itertools.cycle(((one, two), (two, one))):
        for batch in batches:
            reader.look(batch)
            other.look(batch)
            reader.results(batch)
            other.results(batch)
        if is_over() or time.monotonic() > until:
            return
