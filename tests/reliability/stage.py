"""What a life is played on: a server, a wicked model server, a sink of webhooks, a trap that nobody may be led to, and accounts."""
import http.client
import json
import os
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from checker import check  # noqa: E402
from history import Client, Gone, History  # noqa: E402
from lossy_mount import LossyMount  # noqa: E402
from sheaf_server import SheafServer  # noqa: E402
from sink import Listener, Sink  # noqa: E402
from wicked_model import WickedModel  # noqa: E402

CREDENTIAL_VARIABLE = "CREDENTIAL_OF_THE_WICKED_MODEL"
ATTEMPTS_MAX = 4
CLIP_MODEL = {"frames_max": 1, "frame_edge_max": 64}


class Stage:
    """Left with all stopped; `found` asks the checker."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path, seed: int, accounts=("anna",), limits: dict | None = None,
                 model: dict | None = None, latency_s: float = 0.01, disk: LossyMount | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.dice, self.history = folder, random.Random(seed), History(folder / "history.jsonl")
        self.trap = Listener(self.note_led_astray, "127.0.0.2")
        self.model = WickedModel(latency_s)
        self.sink = Sink(self.look_for_sink, "")
        self.items_made = 0
        self.lookers: dict[str, tuple] = {}  # by the sink's path: whose eyes look, and how
        self.sail_batches: dict[str, str] = {}  # by item
        credential = f"credential-{self.dice.getrandbits(64):x}"
        os.environ[CREDENTIAL_VARIABLE] = credential
        self.history.secrets["the credential of the model server"] = credential
        self.build, self.limits, self.names, self.disk = build, limits or {}, accounts, disk
        self.model_settings = {"concurrency": 8, "attempts_max": ATTEMPTS_MAX, "retry_first_wait_ms": 20, "retry_wait_max_ms": 2000,
                               "answer_time_s": 1, "key_env": CREDENTIAL_VARIABLE} | (model or {})

    def __enter__(self) -> "Stage":
        self.trap.__enter__()
        self.model.__enter__()
        self.sink.__enter__()
        self.model.led_to = self.sink.led_to = self.trap.url("/trap")
        self.start_servers()
        self.keys, self.canaries = {}, {}
        for name in self.names:
            self.keys[name] = self.create_key(name)
            self.canaries[name] = f"canary-{name}-{self.dice.getrandbits(128):032x}"
            self.history.secrets[f"the key of {name}"] = self.keys[name]
            self.history.mark("account", account=name, canary=self.canaries[name])
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_servers()
        for part in (self.sink, self.model, self.trap):
            part.__exit__()

    def start_servers(self) -> None:
        self.server = SheafServer(self.build / "sheaf", self.folder, limits=self.limits, models=self.models(), settings=self.settings())
        self.server.start()

    def create_key(self, account: str) -> str:
        return self.server.create_key(account).key

    def stop_servers(self) -> None:
        self.server.kill()

    def models(self) -> list[dict]:
        named = {"backend": "chat", "urls": [self.model.url], "model": "stand-in", "protocols": ["chat", "messages", "responses"]}
        return [named | self.model_settings | {"name": "m"}, named | self.model_settings | CLIP_MODEL | {"name": "v"}]

    def settings(self) -> dict:
        place = {"data": str(self.disk.path)} if self.disk else {}
        return place | {"log_level": "debug", "webhooks": {"allowed_networks": ["127.0.0.1/32"], "retry_waits_s": [0.1, 0.2, 0.3, 0.4, 0.5]}}

    def note_led_astray(self, asked, _: bytes) -> None:
        self.history.mark("led_astray", by="a redirect", to=asked.path)
        asked.send_response(200)
        asked.send_header("content-length", "0")
        asked.end_headers()

    def items(self, count: int) -> list[str]:
        first, self.items_made = self.items_made, self.items_made + count
        return [f"item-{number:07}" for number in range(first, first + count)]

    def faults(self, items: list[str], kinds: list[str], share: float = 1) -> dict[str, str]:
        return {item: self.dice.choice(kinds) for item in items if self.dice.random() < share}

    def client(self, account: str = "anna", node: str = "", server: SheafServer | None = None) -> Client:
        return Client(self.history, (server or self.server).url, self.keys[account], account, self.canaries[account], node)

    def kill_and_start(self) -> None:
        self.history.mark("kill")
        self.server.kill()
        self.server.start()

    def cut_power(self) -> None:
        self.history.mark("kill")
        self.server.kill()
        self.disk.cut_power()
        self.server.start()

    def add_webhook(self, account: str, dialect: str, path: str, shown) -> None:
        """`shown`: what the vendor's own call shows of what was told."""
        done = self.server.cli("webhooks", "add", self.sink.url(path), "--account", account, "--dialect", dialect, "--json",
                               "--data", str(self.server.data))
        assert done.returncode == 0, done.stderr
        secret = json.loads(done.stdout)["secret"]
        self.history.secrets[f"the secret of {path}"] = secret
        self.lookers[path] = (account, shown)
        self.history.mark("endpoint", path=path, account=account, dialect=dialect, secret=secret)

    def look_for_sink(self, path: str, body: bytes) -> str | None:
        """None when the server cannot be asked just now, or nobody was to be told there."""
        if path not in self.lookers:
            return None
        account, shown = self.lookers[path]
        try:
            return shown(self, account, json.loads(body))
        except (OSError, http.client.HTTPException, KeyError, ValueError):
            return None

    def peek(self, account: str, path: str) -> dict:
        """What a call shows at this moment: without the history's care, which takes longer than a commit."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {self.keys[account]}"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def settle(self, account: str, timeout_s: float = 20) -> None:
        """Waits for all of an account's batches to end, and reads all there is."""
        with self.client(account) as client:
            wait_until(lambda: all(client.has_ended(batch) for batch in client.list()), timeout_s)

    def read_all(self, account: str) -> None:
        with self.client(account) as client:
            for batch in client.list():
                client.look(batch)
                client.results(batch)

    def settle_all(self) -> None:
        for account in self.names:
            self.settle(account)
        self.history.mark("settled")
        for account in self.names:
            self.read_all(account)

    def wait_until_told(self, what, timeout_s: float = 10) -> None:
        """Then the checker takes every end for told."""
        wait_until(what, timeout_s)
        time.sleep(0.05)
        self.history.mark("told_all")

    def found(self) -> list[str]:
        """What is broken."""
        for secret in self.history.secrets_in(self.server.log_path.read_bytes()):
            self.history.mark("secret_out", secret=secret, where="the log")
        for delivery in self.sink.deliveries():
            for secret in self.history.secrets_in(delivery["body"].encode()):
                self.history.mark("secret_out", secret=secret, where=f"a delivery to {delivery['path']}")
        deliveries, ledger = self.sink.deliveries(), self.model.ledger()
        for name, entries in (("ledger", ledger), ("deliveries", deliveries)):
            (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        return check(self.history.events(), ledger, ATTEMPTS_MAX, deliveries)


def wait_until(what, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)


def played(stage: Stage, life) -> list[str]:
    """The life, and what the checker found; a server that went away without being killed is a finding, too."""
    with stage:
        try:
            life(stage)
        except Gone:
            return stage.found() + [f"it went away without a reason:\n{stage.server.log(20)}"]
        return stage.found()
