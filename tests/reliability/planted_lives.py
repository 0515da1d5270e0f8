"""The lives that show planted bugs: each makes it likely that one kind of mistake shows, and asks the checker."""
import contextlib
import functools
import os
import pathlib
import threading
import time

from history import Client, Gone
from kill import Life, live_through
from lives.nodes import NodesStage
from lossy_mount import LossyMount
from postgres_server import PostgresServer
from stage import Stage, played, wait_until

JUMP_S = 100  # more than a lease
ERASED_WITHIN_S = 5
LEASED_MAX = 512  # of one batch


def on_a_stage(**options):
    """Makes a life of what is done on a stage."""
    def made(act):
        def life(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
            return played(Stage(build, folder, seed, **options), act)
        return life
    return made


def reference(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    with Life(build, folder) as life:
        return live_through(life, [], looks_at_disk=True)


@on_a_stage(model={"concurrency": 24})
def abort(stage: Stage) -> None:
    """Batches that are canceled at once while many of their answers are on their way."""
    with stage.client() as client:
        for _ in range(30):
            batch = client.create_sail(stage.items(80), None)
            wait_until(lambda: client.look(batch)["shown"]["counts"]["succeeded"] > stage.dice.randint(5, 30))
            client.cancel_sail(batch)
            client.look(batch)
    stage.settle_all()


@on_a_stage(model={"attempts_max": 6})
def faulty_model(stage: Stage) -> None:
    """Some items' first tries break."""
    with stage.client() as client:
        items = stage.items(20)
        client.create_anthropic(items, stage.faults(items, ["500*1"], 0.3))
    stage.settle_all()


@on_a_stage(model={"retry_first_wait_ms": 1500})
def abort_of_a_faulty_model(stage: Stage) -> None:
    """A batch is canceled at once while its items wait for their next try."""
    with stage.client() as client:
        items = stage.items(8)
        batch = client.create_sail(items, None, {item: "500*1" for item in items})
        wait_until(lambda: all(stage.model.asked(item) for item in items))
        time.sleep(0.05)  # until they were answered
        client.cancel_sail(batch)
        client.look(batch)
    time.sleep(1.6)
    stage.settle_all()


def clock_jumps(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    """The wall clock jumps forward, again and again, while some of a batch is leased and some is not."""
    folder.mkdir(parents=True)
    clock = folder / "seconds-ahead"

    def turn(jumps: int) -> None:
        clock.with_suffix(".new").write_text(str(jumps * JUMP_S))
        clock.with_suffix(".new").replace(clock)

    def act(stage: Stage) -> None:
        with stage.client() as client:
            items = stage.items(LEASED_MAX + 100)
            batch = client.create_anthropic(items, stage.faults(items, ["slow"], 0.1))
            for jumps in range(1, 41):
                time.sleep(0.1)
                turn(jumps)
                if client.look(batch)["shown"]["state"] == "ended":
                    break
        stage.settle_all()
    turn(0)
    with environment(LD_PRELOAD=str(build / "turned_clock.so"), SHEAF_TURNED_CLOCK=str(clock)):
        return played(Stage(build, folder, seed, model={"concurrency": 16}), act)


@on_a_stage(latency_s=0.05)
def kill(stage: Stage) -> None:
    """The server is killed when all of a batch is under way and some of it is done."""
    with stage.client() as client:
        batch = client.create_anthropic(stage.items(40))
        wait_until(lambda: client.look(batch)["shown"]["counts"]["queued"] == 0)
        wait_until(lambda: client.look(batch)["shown"]["counts"]["running"] < 20)
    stage.kill_and_start()
    stage.settle("anna", 5)
    stage.history.mark("settled")
    stage.read_all("anna")


def on_a_lossy_disk(*disk_options: str, **options):
    """As on a stage, and `stage.cut_power` may be used. `disk_options`: of lossy_mount."""
    def made(act):
        def life(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
            with LossyMount(build, folder, seed, "--loses-all", *disk_options) as disk:
                return played(Stage(build, folder, seed, disk=disk, **options), act)
        life.needs_power = True
        return life
    return made


@on_a_lossy_disk(latency_s=0.05)
def power_loss(stage: Stage) -> None:
    """The power goes while a batch runs, and just after others were accepted."""
    stage.server.restart()  # the accounts' keys are at rest
    with stage.client() as client:
        begun = client.create_anthropic(stage.items(60))
        wait_until(lambda: client.look(begun)["shown"]["counts"]["succeeded"] > 10)
        for _ in range(stage.dice.randint(1, 3)):
            client.create_anthropic(stage.items(20))
    stage.cut_power()
    stage.settle_all()


@on_a_lossy_disk("--sync-fails", "3", "--of", ".seg", latency_s=0.05)
def power_loss_after_a_failed_sync(stage: Stage) -> None:
    """The sync of some results fails; later the power goes."""
    stage.server.restart()
    with contextlib.suppress(Gone), stage.client() as client:
        begun = client.create_anthropic(stage.items(60))
        wait_until(lambda: client.look(begun)["shown"]["counts"]["succeeded"] > 30)
    stage.cut_power()
    stage.settle_all()


@on_a_lossy_disk(model={"concurrency": 256})
def power_loss_in_a_crowd(stage: Stage) -> None:
    """The power goes, again and again, when many clients' batches were accepted and leased at once and none has ended yet."""
    stage.server.restart()
    stage.model.latency_s = 0.7

    def create(items: list[str]) -> None:
        with stage.client() as client:
            for item in items:
                client.create_sail([item], None)
    for _ in range(6):
        in_threads([functools.partial(create, stage.items(4)) for _ in range(6)])
        stage.cut_power()
    stage.model.latency_s = 0.01
    stage.settle_all()


@on_a_stage()
def delete(stage: Stage) -> None:
    """A batch is deleted, and another stays in the same files."""
    with stage.client() as client:
        deleted, kept = stage.items(10), stage.items(10)
        batch = client.create_anthropic(deleted)
        client.create_anthropic(kept)
        wait_until(lambda: client.look(batch)["shown"]["state"] == "ended")
        client.delete(batch)
    deadline = time.monotonic() + ERASED_WITHIN_S
    while (left := left_on_disk(stage, deleted[0])) and time.monotonic() < deadline:
        time.sleep(0.2)
    for file in left:
        stage.history.mark("left_on_disk", item=deleted[0], file=file)
    stage.settle_all()


def left_on_disk(stage: Stage, item: str) -> list[str]:
    return [path.name for path in stage.server.data.rglob("*") if path.is_file() and item.encode() in path.read_bytes()]


@on_a_stage()
def one_key_at_once(stage: Stage) -> None:
    """Several clients make the same call under the same key at the same time."""
    for number in range(6):
        items, start = stage.items(3), threading.Barrier(4)

        def create() -> None:
            with stage.client() as client:
                start.wait()
                client.create_sail(items, f"key-{number}")
        in_threads([create] * 4)
    stage.settle_all()


def in_threads(tasks) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@on_a_stage(accounts=("anna", "bert"))
def one_key_of_two_accounts(stage: Stage) -> None:
    """Both make the same call under the same key."""
    items = stage.items(3)
    for account in stage.names:
        with Client(stage.history, stage.server.url, stage.keys[account], account) as client:
            client.look(client.create_sail(items, "the-key"))
    stage.settle_all()


@on_a_stage(accounts=("anna", "bert"))
def two_accounts(stage: Stage) -> None:
    """One asks for what is the other's."""
    with stage.client("anna") as client:
        batch = client.create_anthropic(stage.items(3))
        theirs = client.look(batch)["shown"]["id"]
    with stage.client("bert") as client:
        client.ask_for_anothers("GET", "/sheaf/v1/batches/ID", theirs, theirs[:10] + "000000" + theirs[16:], "")
    stage.settle_all()


@on_a_stage()
def paging(stage: Stage) -> None:
    """A list is read page by page while batches are added to it."""
    with stage.client() as client:
        for _ in range(6):
            client.create_anthropic(stage.items(1))
        client.page_through("sheaf", 2, between=lambda: len(client.list()) < 12 and client.create_anthropic(stage.items(1)))
    stage.settle_all()


@on_a_stage(model={"concurrency": 1})
def stray_answers(stage: Stage) -> None:
    """The model server sends some answers twice, on connections that stay."""
    with stage.client() as client:
        items = stage.items(20)
        client.create_anthropic(items, stage.faults(items, ["twice"], 0.3))
    stage.settle_all()


@on_a_stage()
def cut_answers(stage: Stage) -> None:
    """The model server hangs up before the last chunk."""
    with stage.client() as client:
        items = stage.items(20)
        client.create_anthropic(items, {item: "cut*1" for item in items})
    stage.settle_all()


def told_by_webhook(stage: Stage, moods: list) -> None:
    stage.add_webhook("anna", "openai", "/openai", lambda stage, account, event: stage.peek(
        account, f"/v1/batches/{event['data']['id']}")["status"])
    stage.sink.moods["/openai"] = moods


@on_a_stage()
def webhooks(stage: Stage) -> None:
    """A webhook that takes the first thing that it is told at the third try."""
    told_by_webhook(stage, [500, 503])
    with stage.client() as client:
        batches = [client.create_openai(stage.items(3)) for _ in range(6)]
    stage.settle_all()
    stage.wait_until_told(lambda: all(any(entry["answered"] == 200 and batch in entry["body"] for entry in stage.sink.deliveries())
                                      for batch in batches))


@on_a_stage()
def redirects(stage: Stage) -> None:
    """A webhook redirects to an address that deliveries may not go to."""
    told_by_webhook(stage, ["redirect"])
    with stage.client() as client:
        client.create_openai(stage.items(3))
    stage.settle_all()
    stage.wait_until_told(lambda: len(stage.sink.entries) > 1, 3)


def two_nodes(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    """What is done at one node is looked at from the other."""
    return played(NodesStage(build, folder, seed, latency_s=0.1, model={"concurrency": 4}), by_turns)


def by_turns(stage: NodesStage) -> None:
    with stage.client_of("one") as one, stage.client_of("two") as two:
        batch = one.create_anthropic(stage.items(40))
        for client in (two, one, two):
            client.look(batch)
        two.cancel(batch)
        one.look(batch)
        wait_until(lambda: all((seen := client.look(batch)) and seen["shown"]["state"] == "ended" for client in (one, two)), 10)
    stage.settle_all()


class ReplicaStage(NodesStage):
    """With a replica of the database, which shows everything a moment later."""

    def start_servers(self) -> None:
        self.replica = PostgresServer(self.folder / "replica")
        with environment(SHEAF_PLANTED_REPLICA=self.replica.url):
            super().start_servers()
        self.replica.follow(self.postgres, lag_ms=400)

    def stop_servers(self) -> None:
        super().stop_servers()
        self.replica.crash()


def replica(build: pathlib.Path, folder: pathlib.Path, seed: int) -> list[str]:
    return played(ReplicaStage(build, folder, seed, latency_s=0.1, model={"concurrency": 4}), by_turns)


@contextlib.contextmanager
def environment(**variables: str):
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
