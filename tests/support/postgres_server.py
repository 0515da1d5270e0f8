"""PostgreSQL servers for tests, on loopback. PostgreSQL refuses to run as root: then they run as the user `postgres`."""
import contextlib
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import time

START_TIMEOUT_S = 30
_PORTS = range(20_000, 32_768)  # none that the system gives to whoever asks for any
_ports = iter(_PORTS[os.getpid() * 16 % 10_000:])


def free_port() -> int:
    """One that nobody listens on, and no call before gave."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("there is no free port")


def postgres_programs() -> pathlib.Path:
    """Of the newest PostgreSQL that is installed: Debian keeps its programs out of the path."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise RuntimeError("PostgreSQL is not installed")
    return found[-1]


def as_postgres_user() -> dict:
    """Options of subprocess's."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give_to_postgres_user(folder: pathlib.Path) -> None:
    """With a way there."""
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    for above in folder.absolute().parents:
        if above.stat().st_mode & 0o005 != 0o005 and above.owner() == "root":
            above.chmod(above.stat().st_mode | 0o005)


def signal_servers(data: pathlib.Path, number: int) -> int:
    """All processes of PostgreSQL that work in a data directory; how many there are."""
    data, count = data.resolve(), 0
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == data:
                os.kill(int(entry.name), number)
                count += 1
    return count


class PostgresServer:
    """One data directory, which the first start makes, and the server that runs on it."""

    def __init__(self, folder: pathlib.Path, **settings: str) -> None:
        self.folder, self.data, self.settings = folder, folder / "data", settings
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"postgres://sheaf@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: object) -> None:
        subprocess.run([postgres_programs() / program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd=self.folder, **as_postgres_user())

    def start(self, port: int | None = None) -> "PostgresServer":
        """On another port than before, if one is named."""
        self.port = port or self.port
        if not self.data.exists():
            self.make_folder()
            self.run("initdb", "-D", self.data, "-U", "sheaf", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(self.port), **self.settings}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([postgres_programs() / "postgres", "-D", self.data, *options], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.folder, **as_postgres_user())
        ready = [postgres_programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + START_TIMEOUT_S
        while subprocess.run(ready, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.05)
        return self

    def make_folder(self) -> None:
        self.folder.mkdir(parents=True)
        give_to_postgres_user(self.folder)

    def follow(self, other: "PostgresServer", lag_ms: int) -> "PostgresServer":
        """As a replica, which shows what the other has that much later."""
        self.make_folder()
        self.run("pg_basebackup", "-D", self.data, "-R", "-d", other.url, "-c", "fast", "--no-sync")
        self.settings["recovery_min_apply_delay"] = f"{lag_ms}ms"
        return self.start()

    def copy(self, folder: pathlib.Path) -> "PostgresServer":
        """Another server with the same data. This one must not run."""
        subprocess.run(["cp", "-a", self.folder, folder], check=True)
        return PostgresServer(folder, **self.settings)

    def freeze(self) -> None:
        signal_servers(self.data, signal.SIGSTOP)

    def thaw(self) -> None:
        signal_servers(self.data, signal.SIGCONT)

    def crash(self) -> None:
        """Its processes end at once, as after an immediate shutdown."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None
