#!/usr/bin/env python3
"""Lets PostgreSQL fail over and kills nodes under load, and lets the checker judge what clients saw.

    failover.py --build-dir build/release [--failovers N] [--kills N] [--others N] [--seed S] [--keep DIR]

Three nodes of Sheaf on two PostgreSQL servers under Patroni in synchronous mode; owners of batches use all of them at once. In an
order that the seed chooses, N times the leader of PostgreSQL is killed with its Patroni, N times a node of Sheaf, and N times each
of the other faults happens: the standby killed or frozen, the leader stopped in two ways or frozen in two, a node frozen for less and
for more than its leases. Then faults stop, all must end, everything is read through every node, and the checker looks at the history.
Exits with 1 if anything was broken.
"""
import argparse
import collections
import contextlib
import itertools
import json
import pathlib
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from api import wait_for  # noqa: E402
from checker import INVARIANTS, World, check  # noqa: E402
from history import Client, Gone, History  # noqa: E402
from model_server_process import ModelServer  # noqa: E402
from owner_of_batches import CALL_TIMEOUT_S, CreatorOfBatches, OwnerOfBatches, new_items  # noqa: E402
from patroni_cluster import Member, PatroniCluster  # noqa: E402
from postgres_server import free_port  # noqa: E402
from sheaf_server import SheafServer  # noqa: E402

NODES, OWNERS, CREATORS, SLOTS = 3, 5, 4, 12
WRITABLE_WITHIN_S, WHOLE_WITHIN_S, ENDED_WITHIN_S = 120, 180, 240
QUIET_S = (1, 4)  # between faults
LAG_S = 1
SHORT_FREEZE_S, LONG_FREEZE_S = 5, 20  # a lease is 15 s
OTHERS = ("kill_standby", "freeze_standby", "stop_fast", "stop_immediate", "freeze_postgres", "freeze_leader", "freeze_node_shortly",
          "freeze_node_for_long")


class Campaign:
    """A cluster, its clients, and what is done to it."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path, seed: int) -> None:
        self.build, self.folder, self.seed, self.dice = build, folder, seed, random.Random(seed)
        self.history = History(folder / "history.jsonl")
        self.numbers = itertools.count()
        self.gaps: dict[str, list[float]] = collections.defaultdict(list)  # by fault: how long no write was acknowledged
        self.after_leader: list[float] = []  # of failovers: from the new leader to writes through every node

    def __enter__(self) -> "Campaign":
        with contextlib.ExitStack() as stack:
            self.model = stack.enter_context(ModelServer(
                self.build / "model_server", self.folder, "--ledger", "--latency", "lognormal:300,0.6,3000", "--slots", 64,
                "--fault", "500:0.02"))
            self.cluster = stack.enter_context(PatroniCluster(self.folder / "postgres"))
            self.nodes = {f"node-{number}": self.node(f"node-{number}") for number in range(1, NODES + 1)}
            for node in self.nodes.values():
                stack.callback(node.kill)
                node.start()
            self.key = self.nodes["node-1"].create_key("anna").key
            self.owners = [OwnerOfBatches(self.history, {name: node.url for name, node in self.nodes.items()}, self.key, self.numbers,
                                          f"{self.seed} {number}") for number in range(OWNERS)]
            self.close = stack.pop_all().close
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self.close)
            for owner in self.owners:
                stack.callback(owner.leave)

    def node(self, name: str) -> SheafServer:
        return SheafServer(self.build / "sheaf", self.folder / name, port_wanted=free_port(), settings={
            "store": self.cluster.url(), "shared": str(self.folder / "shared")}, models=[
                {"name": "m", "backend": "chat", "urls": [self.model.url], "model": "stand-in", "concurrency": SLOTS,
                 "retry_first_wait_ms": 5}])

    def any_node(self) -> str:
        return self.dice.choice(list(self.nodes))

    def client(self, name: str) -> Client:
        return Client(self.history, self.nodes[name].url, self.key, node=name, timeout_s=CALL_TIMEOUT_S)

    @contextlib.contextmanager
    def fault(self, what: str, **whom: str):
        """From its first moment, which meets some creates, until writes are acknowledged by every node."""
        creators = [CreatorOfBatches(self.client(whom.get("node", self.any_node())), self.numbers) for _ in range(CREATORS)]
        for creator in creators:
            creator.start()
        time.sleep(self.dice.uniform(0.1, 0.4))
        kill, began = self.history.mark("kill", what=what, **whom), time.monotonic()
        yield
        self.wait_until_writes_work()
        gap = time.monotonic() - began
        for creator in creators:
            creator.join()
        self.history.mark("mended", kill=kill)
        self.gaps[what].append(gap)
        print(f"  {what} {' '.join(whom.values())}: {gap:.1f} s", flush=True)

    def wait_until_writes_work(self) -> None:
        for name in self.nodes:
            wait_for(lambda name=name: self.writes(name), timeout_s=WRITABLE_WITHIN_S, what=f"a write through {name}")

    def writes(self, name: str) -> bool:
        items = new_items(self.numbers, 1)
        with self.client(name) as client, contextlib.suppress(Gone):
            client.look(client.create_sail(items, f"key of {items[0]}"))
            return True
        return False

    def leader(self) -> Member:
        return wait_for(self.cluster.leader, timeout_s=WRITABLE_WITHIN_S, what="a leader of PostgreSQL")

    def standby(self) -> Member:
        leader = self.leader()
        return next(member for member in self.cluster.members if member is not leader)

    def fail_over(self) -> None:
        """Every second time the standby lags: commits wait for it when the leader dies. Every third time a node dies, too."""
        leader, standby = self.leader(), self.standby()
        lags = len(self.gaps["fail_over"]) % 2 == 1
        dead = self.any_node() if len(self.gaps["fail_over"]) % 3 == 2 else None
        with self.fault("fail_over", member=leader.name):
            if lags:
                standby.signal_postgres(signal.SIGSTOP)
                time.sleep(LAG_S)
            leader.kill()
            if lags:
                standby.signal_postgres(signal.SIGCONT)
            if dead is not None:
                self.nodes[dead].kill()
            self.leader()
            led_at = time.monotonic()
            if dead is not None:
                self.start_node(dead)
        self.after_leader.append(time.monotonic() - led_at)
        leader.start()

    def kill_node(self) -> None:
        name = self.any_node()
        with self.fault("kill_node", node=name):
            self.nodes[name].kill()
            time.sleep(self.dice.uniform(0.5, 4))
            self.start_node(name)

    def start_node(self, name: str) -> None:
        wait_for(lambda: self.starts(name), timeout_s=WRITABLE_WITHIN_S, what=f"the start of {name}")

    def starts(self, name: str) -> bool:
        """It does not as long as PostgreSQL does not answer."""
        try:
            self.nodes[name].start()
        except AssertionError as error:
            if "ended with 3" not in str(error):
                raise
            return False
        return True

    def kill_standby(self) -> None:
        standby = self.standby()
        with self.fault("kill_standby", member=standby.name):
            standby.kill()
        standby.start()

    def freeze_standby(self) -> None:
        """Commits wait for it until Patroni strikes it out."""
        standby = self.standby()
        with self.fault("freeze_standby", member=standby.name):
            standby.freeze()
        standby.thaw()

    def stop_fast(self) -> None:
        self.stop_postgres("fast")

    def stop_immediate(self) -> None:
        self.stop_postgres("immediate")

    def stop_postgres(self, mode: str) -> None:
        leader = self.leader()
        with self.fault(f"stop_{mode}", member=leader.name):
            leader.stop_postgres(mode)

    def freeze_postgres(self) -> None:
        leader = self.leader()
        with self.fault("freeze_postgres", member=leader.name):
            leader.signal_postgres(signal.SIGSTOP)
            time.sleep(SHORT_FREEZE_S)
            leader.signal_postgres(signal.SIGCONT)

    def freeze_leader(self) -> None:
        """With its Patroni, until the nodes have found the next. Then it is put down, as by a watchdog, and starts anew."""
        leader, standby = self.leader(), self.standby()
        with self.fault("freeze_leader", member=leader.name):
            leader.freeze()
            wait_for(standby.is_leader, timeout_s=WRITABLE_WITHIN_S, what="another leader")
        leader.kill()
        leader.start()

    def freeze_node_shortly(self) -> None:
        self.freeze_node("freeze_node_shortly", SHORT_FREEZE_S)

    def freeze_node_for_long(self) -> None:
        self.freeze_node("freeze_node_for_long", LONG_FREEZE_S)

    def freeze_node(self, what: str, seconds: float) -> None:
        """Its leases end meanwhile, or not; then it writes what its calls were answered before it froze."""
        name = self.any_node()
        with self.fault(what, node=name):
            self.nodes[name].signal(signal.SIGSTOP)
            time.sleep(seconds)
            self.history.mark("wake")
            self.nodes[name].signal(signal.SIGCONT)

    def run(self, faults: list[str]) -> None:
        """All faults, each when the one before is mended and a commit waits for a standby again; then the end."""
        self.dice.shuffle(faults)
        for owner in self.owners:
            owner.start()
        time.sleep(QUIET_S[1])
        for fault in faults:
            getattr(self, fault)()
            wait_for(self.cluster.is_whole, timeout_s=WHOLE_WITHIN_S, what="a synchronous standby")
            time.sleep(self.dice.uniform(*QUIET_S))
        for owner in self.owners:
            owner.leave()
        self.settle()

    def settle(self) -> None:
        """Waits for all to end, and reads all there is through every node."""
        events = self.history.events()
        looked_at = {event["batch"] for event in events if event["op"] == "look"}
        with self.client("node-1") as client:
            for event in events:
                if event["op"] == "create" and event["phase"] == "ok" and event["batch"] not in looked_at:
                    client.look(event["batch"])
            deadline = time.monotonic() + ENDED_WITHIN_S
            for batch in client.list():
                while client.look(batch)["shown"]["state"] != "ended" and time.monotonic() < deadline:
                    time.sleep(0.1)
        self.history.mark("settled")
        for name in self.nodes:
            with self.client(name) as client:
                for batch in client.list():
                    client.look(batch)
                    client.results(batch)

    def tell(self, world: World, ledger: list[dict]) -> None:
        """What was done, and how much of it there was."""
        for what, gaps in sorted(self.gaps.items()):
            print(f"{len(gaps)} {what}: writes through every node again after {statistics.median(gaps):.1f} s, {max(gaps):.1f} s at most")
        if self.after_leader:
            print(f"fail_over, from the new leader on: {statistics.median(self.after_leader):.1f} s, {max(self.after_leader):.1f} s at most")
        batches = list(world.accepted())
        results = collections.Counter((batch.id, line["item"]) for batch in world.batches.values() if batch.readings
                                      for line in batch.readings[-1]["lines"])
        print(f"{len(batches)} batches acknowledged, with {sum(len(batch.created['items']) for batch in batches)} items; "
              f"{len(results)} results at the end, {sum(count > 1 for count in results.values())} doubled")
        there = {item for _, item in results}
        for what, has_key in (("with a key", True), ("without", False)):
            unknown = [event["items"] for event in world.creates if event["phase"] == "unknown" and bool(event["key"]) == has_key]
            whole, none = (sum(is_so(items) for items in unknown) for is_so in (there.issuperset, there.isdisjoint))
            print(f"{len(unknown)} creates {what} were of unknown outcome; {whole} are there whole, {none} not at all")
        answered = collections.Counter(entry["id"] for entry in ledger if entry["status"] == 200)
        print(f"{len(ledger)} requests to the model server; {sum(count > 1 for count in answered.values())} items answered more than once")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--failovers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--others", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=pathlib.Path, help="where the history, the ledger and the logs of a campaign that failed are left")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    faults = ["fail_over"] * arguments.failovers + ["kill_node"] * arguments.kills + list(OTHERS) * arguments.others
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends with it
    started = time.monotonic()
    found, ledger = ["it did not come to its end"], []
    print(f"seed {seed}, {len(faults)} faults", flush=True)
    with tempfile.TemporaryDirectory(prefix="sheaf-failover-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # for who runs PostgreSQL
        try:
            with Campaign(arguments.build_dir.resolve(), folder, seed) as campaign:
                campaign.run(faults)
                events, ledger = campaign.history.events(), campaign.model.ledger()
                found = check(events, ledger)
            campaign.tell(World(events, ledger), ledger)
        finally:
            if found and arguments.keep:
                (folder / "ledger.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in ledger))
                shutil.copytree(folder, arguments.keep / str(seed), dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns("data", "etcd", "shared"))
    print("\n".join(found[:20]))
    print(f"{len(INVARIANTS)} invariants, {len(found)} times broken, {time.monotonic() - started:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
