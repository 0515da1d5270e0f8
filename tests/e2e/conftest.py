"""Servers, accounts and media for the end-to-end tests. See CONTRIBUTING.md for how to run them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import api  # noqa: E402
import clips  # noqa: E402
import javascript  # noqa: E402
from sheaf_server import Key, SheafServer, scene_model, scripted_model  # noqa: E402
from stand_in import StandIn  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes more than half a minute; leave out with -m 'not long'")
    config.addinivalue_line("markers", "timeout(seconds): how long a test may take")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Long ones first, so that the other worker does the rest meanwhile.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(180))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if report.failed:
        values = list(getattr(item, "funcargs", {}).values())
        servers = [value.server if isinstance(value, Account) else value for value in values]
        for server in {id(server): server for server in servers if isinstance(server, SheafServer)}.values():
            report.sections.append(("log of the server", server.log(40)))
    return report


@pytest.fixture(scope="session")
def build_dir() -> Path:
    return Path(os.environ.get("SHEAF_BUILD_DIR", ROOT / "build" / "dev"))


@pytest.fixture(scope="session")
def binary(build_dir: Path) -> Path:
    path = build_dir / "sheaf"
    assert path.exists(), f"{path} was not built"
    return path


@pytest.fixture(scope="session", autouse=True)
def environment() -> None:
    """No proxy of the caller's between the tests and the server, and no key of the caller's in the clients."""
    for name in list(os.environ):
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy"):
            del os.environ[name]
        elif name.startswith(("TWELVELABS_", "TWELVE_LABS_", "ANTHROPIC_", "OPENAI_")):
            del os.environ[name]
        elif name.startswith("SHEAF_") and name not in ("SHEAF_BUILD_DIR", "SHEAF_TEST_NODE"):
            del os.environ[name]


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> "Media":
    return Media(tmp_path_factory.mktemp("media"))


class Media:
    """Files made when first asked for, once in a session."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def _once(self, name: str, make: Callable[[Path], object]) -> Path:
        path = self.directory / name
        if not path.exists():
            make(path)
        return path

    @property
    def clip(self) -> Path:
        """6 s, 640x360, three shots, a word and a tone."""
        return self._once("clip.mp4", lambda path: clips.make_clip(path))

    @property
    def other_clip(self) -> Path:
        return self._once("other.mp4", lambda path: clips.make_clip(path, seconds=7.5, sound=False, text=False))

    @property
    def short_clip(self) -> Path:
        return self._once("short.mp4", lambda path: clips.make_clip(path, seconds=3, sound=False, text=False))

    @property
    def small_clip(self) -> Path:
        return self._once("small.mp4", lambda path: clips.make_clip(path, width=320, height=240, sound=False,
                                                                    text=False))

    @property
    def wide_clip(self) -> Path:
        return self._once("wide.mp4", lambda path: clips.make_clip(path, width=1280, height=400, sound=False,
                                                                   text=False))

    @property
    def large_clip(self) -> Path:
        """More than 10 chunks of 5 MiB."""
        return self._once("large.mp4", lambda path: clips.pad_mp4(self.clip, path, 11 * (5 << 20) + 12_345))

    @property
    def image(self) -> Path:
        return self._once("image.png", lambda path: clips.make_image(path))

    @property
    def sound(self) -> Path:
        return self._once("sound.mp3", lambda path: clips.make_sound(path))

    @property
    def broken(self) -> Path:
        """Says that it is a video and holds nothing of one."""
        return self._once("broken.mp4", lambda path: path.write_bytes(
            self.clip.read_bytes()[:200] + os.urandom(20_000)))


@pytest.fixture
def make_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., SheafServer]]:
    """Starts servers with a configuration of their own; all of them end with the test."""
    made: list[SheafServer] = []

    def make(*, start: bool = True, directory: Path | None = None, **options: object) -> SheafServer:
        server = SheafServer(binary, directory or tmp_path_factory.mktemp("server"), **options)
        made.append(server)
        return server.start() if start else server

    yield make
    problems = [problem for server in made if (problem := stopped_badly(server))]
    assert not problems, "\n".join(problems)


def stopped_badly(server: SheafServer) -> str | None:
    """Stops a server and says what was wrong with its end or, under sanitizers, with its whole life."""
    code = server.stop()
    log = server.log_path.read_text(errors="replace") if server.log_path.exists() else ""
    for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "CHECK failed"):
        if sign in log:
            return f"the server's log says '{sign}':\n{log[max(0, log.index(sign) - 200):][:6000]}"
    return None if code == 0 else f"the server ended with {code}:\n{server.log()}"


def shared(binary: Path, directory: Path, **options: object) -> Iterator[SheafServer]:
    server = SheafServer(binary, directory, **options).start()
    yield server
    problem = stopped_badly(server)
    assert problem is None, problem


# What the scripted server answers: every character that has broken somebody's line reader.
STRANGE_TEXT = "caf\u00e9 \U0001f600 a\u2028b\u2029c\u0085d \u000b\u000c\u001c\u001d\u001e \"\\\\ \t \u65e5\u672c end"


@pytest.fixture(scope="session")
def scripted_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SheafServer]:
    """Answers quickly, by rule, with text that is hard to carry."""
    yield from shared(binary, tmp_path_factory.mktemp("scripted"),
                      models=[scripted_model(answer=STRANGE_TEXT + " {custom_id} {prompt}", delay_ms=5, concurrency=8)])


@pytest.fixture(scope="session")
def slow_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SheafServer]:
    """Two items at a time, 1.5 s each: a batch stays active long enough to be looked at."""
    yield from shared(binary, tmp_path_factory.mktemp("slow"),
                      models=[scripted_model(answer="slow {custom_id}", delay_ms=1500, concurrency=2)])


@pytest.fixture(scope="session")
def scene_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SheafServer]:
    """The embedded default: really looks at the video."""
    yield from shared(binary, tmp_path_factory.mktemp("scene"), models=[scene_model()])


@dataclass
class Account:
    """One account of one server."""

    server: SheafServer
    key: Key
    client: httpx.Client
    assets: dict[Path, str]

    def asset(self, path: Path) -> str:
        """The ready asset made of this file, uploaded once."""
        if path not in self.assets:
            self.assets[path] = api.ready_asset(self.client, path)
        return self.assets[path]

    def sdk(self, base_url: str | None = None):
        """The official Python client, pointed at the server the way its users would."""
        from twelvelabs import TwelveLabs
        with pointed_at(base_url or self.server.base_url):
            return TwelveLabs(api_key=self.key.key)

    def async_sdk(self, base_url: str | None = None):
        from twelvelabs import AsyncTwelveLabs
        with pointed_at(base_url or self.server.base_url):
            return AsyncTwelveLabs(api_key=self.key.key)

    def js(self, scenario: str, *, base_url: str | None = None, timeout_s: float = 90, **arguments: object):
        """What a scenario of js/twelvelabs.js saw through the official JavaScript client."""
        environment = {"TWELVELABS_BASE_URL": base_url or self.server.base_url, "TWELVE_LABS_API_KEY": self.key.key}
        return javascript.run("twelvelabs.js", scenario, arguments, environment=environment, timeout_s=timeout_s)


class pointed_at:
    """TWELVELABS_BASE_URL for the time of making a client."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def __enter__(self) -> None:
        os.environ["TWELVELABS_BASE_URL"] = self.base_url

    def __exit__(self, *_: object) -> None:
        del os.environ["TWELVELABS_BASE_URL"]


@pytest.fixture
def account_of() -> Iterator[Callable[..., Account]]:
    """Makes accounts: limits count by account, so that tests on one server do not meet."""
    clients: list[httpx.Client] = []

    def make(server: SheafServer, name: str | None = None) -> Account:
        name = name or f"test-{os.urandom(6).hex()}"
        key = server.create_key(name)
        client = server.client(key)
        clients.append(client)
        return Account(server, key, client, {})

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def scripted(scripted_server: SheafServer, account_of: Callable[..., Account]) -> Account:
    return account_of(scripted_server)


@pytest.fixture
def slow(slow_server: SheafServer, account_of: Callable[..., Account]) -> Iterator[Account]:
    account = account_of(slow_server)
    yield account
    # Others share the server's two slots.
    for batch in account.client.get("/analyze/batches", params={"page_limit": 50}).json()["data"]:
        if batch["status"] in ("pending", "processing"):
            account.client.post(f"/analyze/batches/{batch['batch_id']}/cancel")


@pytest.fixture
def scene(scene_server: SheafServer, account_of: Callable[..., Account]) -> Account:
    return account_of(scene_server)


# What text models answer: every character that has broken somebody's line reader.
TEXT_MODEL = {"name": "practice", "backend": "scripted", "answer": STRANGE_TEXT + " {custom_id} {prompt}"}


@pytest.fixture(scope="session")
def text_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SheafServer]:
    """A text model that answers quickly, by rule."""
    yield from shared(binary, tmp_path_factory.mktemp("text"), models=[TEXT_MODEL | {"delay_ms": 5}])


@pytest.fixture(scope="session")
def slow_text_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SheafServer]:
    """Two items at a time, 1 s each."""
    yield from shared(binary, tmp_path_factory.mktemp("slow-text"),
                      models=[TEXT_MODEL | {"delay_ms": 1000, "concurrency": 2}])


@dataclass
class TextAccount:
    """One account of a server with text models, through any vendor's library."""

    server: SheafServer
    key: Key
    make_server: Callable[..., SheafServer]

    def account_of(self, server: SheafServer) -> "TextAccount":
        return TextAccount(server, server.create_key(f"test-{os.urandom(6).hex()}"), self.make_server)

    def again(self) -> "TextAccount":
        """The same account after its server started anew, on another port."""
        return TextAccount(self.server, self.key, self.make_server)

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.server.url, headers={"authorization": f"Bearer {self.key.key}"},
                            trust_env=False, timeout=60)

    def anthropic(self, kind: type | None = None, *, base_url: str | None = None, api_key: str | None = None):
        import anthropic
        return (kind or anthropic.Anthropic)(base_url=base_url or self.server.url, api_key=api_key or self.key.key)

    def openai(self, kind: type | None = None, *, base_url: str | None = None, api_key: str | None = None):
        import openai
        return (kind or openai.OpenAI)(base_url=(base_url or self.server.url) + "/v1", api_key=api_key or self.key.key)

    def js(self, file: str, scenario: str, *, base_url: str | None = None, timeout_s: float = 90, **arguments: object):
        """What a scenario of js/ saw through an official JavaScript client."""
        environment = {"SHEAF_TEST_URL": base_url or self.server.url, "SHEAF_TEST_KEY": self.key.key}
        return javascript.run(file, scenario, arguments, environment=environment, timeout_s=timeout_s)


@pytest.fixture
def text(text_server: SheafServer, make_server: Callable[..., SheafServer]) -> TextAccount:
    return TextAccount(text_server, text_server.create_key(f"test-{os.urandom(6).hex()}"), make_server)


@pytest.fixture
def slow_text(slow_text_server: SheafServer, make_server: Callable[..., SheafServer]) -> Iterator[TextAccount]:
    account = TextAccount(slow_text_server, slow_text_server.create_key(f"test-{os.urandom(6).hex()}"), make_server)
    yield account
    # Others share the server's two slots.
    for batch in account.http.get("/sheaf/v1/batches").json()["batches"]:
        if batch["state"] != "ended":
            account.http.post(f"/sheaf/v1/batches/{batch['id']}/cancel")


@pytest.fixture
def stand_in(build_dir: Path, tmp_path: Path) -> Iterator[StandIn]:
    """A chat model server that does as it is told."""
    program = build_dir / "model_stand_in"
    if not program.exists():
        pytest.fail(f"{program} was not built")
    with StandIn(program, tmp_path) as running:
        yield running


def pytest_report_header() -> str:
    node = subprocess.run([javascript.NODE, "--version"], capture_output=True, text=True).stdout.strip()
    return f"node {node or 'missing'}"
