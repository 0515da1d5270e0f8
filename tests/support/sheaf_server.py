"""A real `sheaf serve` process on a data directory of its own, for tests."""

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


def toml_string(text: str) -> str:
    """A TOML basic string; everything that is not plain ASCII is escaped."""
    out = []
    for character in text:
        if character in '"\\':
            out.append("\\" + character)
        elif 0x20 <= ord(character) < 0x7F:
            out.append(character)
        else:
            out.append(f"\\U{ord(character):08X}")
    return '"' + "".join(out) + '"'


def toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(element) for element in value) + "]"
    return str(value)


def toml_document(settings: dict) -> str:
    """Plain settings, tables (dict) and arrays of tables (list of dict), in that order."""
    def lines_of(table: dict) -> list[str]:
        return [f"{name} = {toml_value(value)}" for name, value in table.items()]

    def is_tables(value: object) -> bool:
        return isinstance(value, list) and bool(value) and all(isinstance(element, dict) for element in value)

    plain = {name: value for name, value in settings.items() if not isinstance(value, dict) and not is_tables(value)}
    lines = lines_of(plain)
    for name, value in settings.items():
        if isinstance(value, dict):
            lines += [f"[{name}]", *lines_of(value)]
    for name, value in settings.items():
        if is_tables(value):
            for table in value:
                lines += [f"[[{name}]]", *lines_of(table)]
    return "\n".join(lines) + "\n"


def scene_model() -> dict:
    return {"name": "pegasus1.5", "backend": "scene"}


def scripted_model(**settings: object) -> dict:
    return {"name": "pegasus1.5", "backend": "scripted", **settings}


def chat_model(*urls: str, **settings: object) -> dict:
    """A model on one server or several."""
    return {"name": "pegasus1.5", "backend": "chat", "urls": list(urls), "model": "stand-in", **settings}


def holds_files(process: int) -> bool:
    """Whether it is there, and not merely waited for by its parent."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass(frozen=True)
class Key:
    id: str
    account: str
    key: str


@dataclass
class SheafServer:
    """One data directory and the server that runs on it, which may be stopped, killed and started again."""

    binary: Path
    directory: Path
    models: list[dict] = field(default_factory=lambda: [scene_model()])
    limits: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    port_wanted: int = 0  # 0: a free one, another at each start
    process: subprocess.Popen | None = None
    port: int = 0
    starts: int = 0
    is_below_a_prefix: bool = False

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)
        self.write_config()

    @property
    def data(self) -> Path:
        return Path(self.settings.get("data", self.directory / "data"))

    @property
    def log_path(self) -> Path:
        return self.directory / "server.log"

    @property
    def config_path(self) -> Path:
        return self.directory / "sheaf.toml"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1.3"

    def write_config(self) -> None:
        document = {"stop_grace_s": 3} | {name: value for name, value in self.settings.items() if name != "data"}
        if self.limits:
            document["limits"] = self.limits
        document["model"] = self.models
        self.config_path.write_text(toml_document(document), encoding="utf-8")

    def start(self, *prefix: str) -> "SheafServer":
        """`prefix`: a command that runs it, as strace does."""
        assert self.process is None, "the server runs already"
        port_file = self.directory / "port"
        port_file.unlink(missing_ok=True)
        self.is_below_a_prefix = bool(prefix)
        self.starts += 1
        with open(self.log_path, "ab") as log:
            log.write(f"---- start {self.starts} ----\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [*prefix, str(self.binary), "serve", "--data", str(self.data), "--listen",
                 f"127.0.0.1:{self.port_wanted}",
                 "--port-file", str(port_file), "--config", str(self.config_path)],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            with contextlib.suppress(FileNotFoundError, ValueError):
                text = port_file.read_text()
                if text.strip():
                    self.port = int(text.strip().rsplit(":", 1)[-1])
                    return self
            code = self.process.poll()
            if code is not None:
                self.process = None
                raise AssertionError(f"the server ended with {code} before it was ready:\n{self.log()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server was not ready within {READY_TIMEOUT_S} s:\n{self.log()}")
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """The exit code, once the server has ended by itself."""
        assert self.process is not None
        code = self.process.wait(timeout_s)
        self.process = None
        return code

    def stop(self) -> int:
        """SIGTERM, and SIGKILL when that does not help. Returns the exit code."""
        if self.process is None:
            return 0
        self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def kill(self) -> None:
        """Also what runs below a prefix, which outlives it."""
        if self.process is None:
            return
        children: list[int] = []
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
                if self.is_below_a_prefix:
                    os.kill(int(child), signal.SIGKILL)
                    children.append(int(child))
        self.process.kill()
        self.process.wait()
        self.process = None
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while any(holds_files(child) for child in children) and time.monotonic() < deadline:
            time.sleep(0.005)

    def restart(self) -> "SheafServer":
        self.stop()
        return self.start()

    def log(self, lines: int = 80) -> str:
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def cli(self, *arguments: str, timeout_s: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(self.binary), *arguments], capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=timeout_s, env={**os.environ, **environment})

    def create_key(self, account: str) -> Key:
        place = ("--store", self.settings["store"]) if "store" in self.settings else ("--data", str(self.data))
        done = self.cli("keys", "create", *place, "--account", account, "--json")
        assert done.returncode == 0, f"sheaf keys create: {done.returncode}\n{done.stdout}\n{done.stderr}"
        made = json.loads(done.stdout)
        return Key(id=made["id"], account=made["account"], key=made["key"])

    def client(self, key: Key | str | None, **options: object) -> httpx.Client:
        """Plain HTTP with the key, below /v1.3. Proxies of the environment are not asked."""
        text = key.key if isinstance(key, Key) else key
        headers = {"x-api-key": text} if text else {}
        options.setdefault("timeout", 60)
        return httpx.Client(base_url=self.base_url, headers=headers, trust_env=False, **options)
