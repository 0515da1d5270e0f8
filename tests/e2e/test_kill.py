"""The server is killed a hundred times in the middle of its work, and nothing accepted is lost, doubled or changed."""

import random
import threading
import time

import httpx
import pytest

import api
from observer import Observer
from sheaf_server import SheafServer, scripted_model

KILLS = 100
ITEMS = 400


class Creator:
    """Creates batches until it is stopped, each under a key of its own, and keeps trying until the answer is known."""

    def __init__(self, asset_id: str) -> None:
        self.asset_id = asset_id
        self.known: dict[str, dict] = {}
        self.open_key: str | None = None
        self.count = 0

    def create(self, client: httpx.Client, items: int) -> None:
        """Raises httpx.TransportError when the server went away: the outcome is then unknown until the next try."""
        if self.open_key is None:
            self.count += 1
            self.open_key = f"create-{self.count}-{items}"
        items = int(self.open_key.rsplit("-", 1)[1])
        answer = api.create_batch(client, api.general_batch(items, self.asset_id), **{"idempotency-key": self.open_key})
        self.known[self.open_key] = answer
        self.open_key = None


class Killer(threading.Thread):
    """Kills the server after a while, and not before `progress` is set if it is asked to wait for that."""

    def __init__(self, server: SheafServer, seconds: float, *, wait_for_progress: bool) -> None:
        super().__init__()
        self.server = server
        self.seconds = seconds
        self.progress = threading.Event()
        if not wait_for_progress:
            self.progress.set()
        self.start()

    def run(self) -> None:
        time.sleep(self.seconds)
        self.progress.wait(5)
        self.server.process.kill()


def ready_items(observer: Observer) -> int:
    return sum(batch["ready_items"] for batch in observer.batches.values())


@pytest.mark.long
@pytest.mark.timeout(420)
def test_a_hundred_kills_lose_and_change_nothing(make_server, account_of, media):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    random_source = random.Random(seed)
    server = make_server(
        models=[scripted_model(answer="answer of {custom_id}", delay_ms=40, delay_spread_ms=40, concurrency=2,
                               attempts_max=100, retry_first_wait_ms=10)],
        limits={"active_batches_max": 1000})
    account = account_of(server)
    creator = Creator(account.asset(media.clip))
    creator.create(account.client, ITEMS)
    observer = Observer()

    for kill in range(KILLS):
        # An item that was interrupted many times is given up, for it might be what kills the server. So a life in
        # three goes on until something was finished, however slow the machine.
        killer = Killer(server, random_source.uniform(0.05, 0.4), wait_for_progress=kill % 3 == 0)
        before = ready_items(observer)
        try:
            with server.client(account.key) as client:
                # One create is always under way at some of the kills; and there is always work to be interrupted.
                if kill % 5 == 0 or creator.open_key is not None:
                    creator.create(client, 5)
                while True:
                    for batch in list(creator.known.values()):
                        last = observer.batches.get(batch["batch_id"])
                        if last is None or last["status"] not in api.TERMINAL or random_source.random() < 0.1:
                            observer.look(client, batch["batch_id"])
                    if ready_items(observer) > before:
                        killer.progress.set()
                    if all(b["status"] in api.TERMINAL for b in observer.batches.values()):
                        creator.create(client, 20)
        except httpx.TransportError:
            pass  # killed
        finally:
            killer.progress.set()
            killer.join()
        server.process.wait()
        server.process = None
        server.start()

    with server.client(account.key) as client:
        while creator.open_key is not None:
            creator.create(client, 5)
        total = 0
        for batch in creator.known.values():
            api.wait_for(lambda: observer.look(client, batch["batch_id"])["status"] in api.TERMINAL, timeout_s=90,
                         every_s=0.2, what=f"batch {batch['batch_id']} ending after the last kill")
            ended = observer.batches[batch["batch_id"]]
            assert (ended["status"], ended["ready_items"]) == ("completed", batch["total_items"]), ended
            lines = api.results_of(client, batch["batch_id"])
            assert [line["task_id"] for line in lines] == [item["task_id"] for item in batch["items"]]
            assert [line["data"]["data"] for line in lines] == [f"answer of {item['custom_id']}"
                                                               for item in batch["items"]]
            total += len(lines)
        assert total >= ITEMS
        # No batch that nobody was told of: every create was repeated until its answer was known.
        assert api.count_batches(client) == len(creator.known)
        assert len({batch["batch_id"] for batch in creator.known.values()}) == len(creator.known)
    print(f"{observer.looks} looks, {len(creator.known)} batches, {total} items")
    assert observer.looks > KILLS / 2, "the observer saw next to nothing"


def test_a_kill_right_after_the_answer_keeps_the_batch(make_server, account_of, media):
    """The answer is given only once all is durable."""
    server = make_server(models=[scripted_model(delay_ms=1)], limits={"active_batches_max": 100})
    account = account_of(server)
    asset_id = account.asset(media.clip)
    made = []
    for _ in range(8):
        with server.client(account.key) as client:
            made.append(api.create_batch(client, api.general_batch(3, asset_id)))
        server.kill()
        server.start()
    with server.client(account.key) as client:
        for batch in made:
            ended = api.wait_for_batch(client, batch["batch_id"])
            assert (ended["status"], ended["ready_items"]) == ("completed", 3)
        assert api.count_batches(client) == len(made)


def test_keys_made_beside_a_server_and_its_own_writes_survive_a_kill(make_server, account_of, media):
    """Two processes write one index; neither may take the other's log away when it ends."""
    server = make_server(models=[scripted_model(delay_ms=1)], limits={"active_batches_max": 100})
    accounts, batches = [], []
    for _ in range(6):
        accounts.append(account_of(server))
        asset_id = accounts[-1].asset(media.clip)
        batches.append(api.create_batch(accounts[-1].client, api.general_batch(3, asset_id))["batch_id"])
        assert server.cli("keys", "list", "--data", str(server.data)).returncode == 0
    server.kill()
    server.start()
    for account, batch_id in zip(accounts, batches):
        with server.client(account.key) as client:
            ended = api.wait_for_batch(client, batch_id)
            assert (ended["status"], ended["ready_items"]) == ("completed", 3)


def test_a_kill_while_canceling_or_deleting(make_server, account_of, media):
    server = make_server(models=[scripted_model(delay_ms=700, concurrency=1, attempts_max=100)])
    account = account_of(server)
    asset_id = account.asset(media.clip)
    batch = api.create_batch(account.client, api.general_batch(10, asset_id))
    api.wait_for(lambda: api.batch_of(account.client, batch["batch_id"])["processing_items"], what="an item running")
    assert account.client.post(f"/analyze/batches/{batch['batch_id']}/cancel").status_code == 202
    server.kill()
    server.start()
    with server.client(account.key) as client:
        # What was running is run again, also though the batch is being canceled.
        ended = api.wait_for_batch(client, batch["batch_id"])
        assert (ended["status"], ended["ready_items"], ended["canceled_items"]) == ("canceled", 1, 9)
        assert client.delete(f"/analyze/batches/{batch['batch_id']}").status_code == 204
    server.kill()
    server.start()
    with server.client(account.key) as client:
        api.check_error(client.get(f"/analyze/batches/{batch['batch_id']}"), 404)
        assert api.count_batches(client) == 0


def test_a_kill_while_an_asset_is_being_looked_into(make_server, account_of, media):
    server = make_server(models=[scripted_model()])
    account = account_of(server)
    made = []
    for _ in range(5):
        with server.client(account.key) as client:
            made.append(api.upload(client, media.clip)["_id"])
        server.kill()
        server.start()
    with server.client(account.key) as client:
        assert [api.settled_asset(client, asset_id)["status"] for asset_id in made] == ["ready"] * 5


def test_a_kill_amid_an_upload_in_chunks_keeps_the_chunks(make_server, account_of, media):
    server = make_server(models=[scripted_model()])
    account = account_of(server)
    data = media.large_clip.read_bytes()[:6 << 20]
    with server.client(account.key) as client:
        session = client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                 "total_size": len(data)}).json()
    chunk = session["chunk_size"]
    path = f"/assets/multipart-uploads/{session['upload_id']}"
    for index in (1, 2):
        with server.client(account.key) as client:
            # The port is another one after each start, and with it the URL.
            fresh = client.post(f"{path}/presigned-urls", json={"start": index, "count": 1}).json()
            piece = data[(index - 1) * chunk:index * chunk]
            etag = httpx.put(fresh["upload_urls"][0]["url"], content=piece, trust_env=False).headers["etag"].strip('"')
            server.kill()
        server.start()
        with server.client(account.key) as client:
            report = client.post(path, json={"completed_chunks": [
                {"chunk_index": index, "proof": etag, "proof_type": "etag", "chunk_size": len(piece)}]})
            assert report.status_code == 200, report.text
            assert report.json()["total_completed"] == index
        server.kill()
        server.start()
    with server.client(account.key) as client:
        asset = api.settled_asset(client, session["asset_id"])
        # The first 6 MiB hold the whole film; what is cut off is padding.
        assert asset["status"] == "ready" and asset["size"] == len(data), asset
