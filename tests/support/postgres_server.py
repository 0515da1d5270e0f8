"""A PostgreSQL server of a test's own, on a loopback port and a new data directory."""

import contextlib
import os
import pwd
import socket
import subprocess
import time
from pathlib import Path

READY_TIMEOUT_S = 30


def program(name: str) -> Path:
    """Of the newest PostgreSQL that is installed: Debian keeps its programs out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, f"PostgreSQL's {name} is not installed"
    return found[-1]


class PostgresServer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen | None = None
        # It refuses to run as root.
        user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        folder.mkdir(parents=True)
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
            for above in folder.parents:
                if above.stat().st_mode & 0o005 != 0o005 and above.owner() == "root":
                    above.chmod(above.stat().st_mode | 0o005)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def run(self, name: str, *arguments: object) -> None:
        subprocess.run([program(name), *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       cwd=self.folder, **self.as_user)

    def start(self) -> "PostgresServer":
        self.run("initdb", "-D", self.folder / "data", "-U", "test", "--auth=trust", "--no-sync")
        return self.serve()

    def follow(self, other: "PostgresServer", lag_ms: int) -> "PostgresServer":
        """As a replica, which shows what the other has that much later."""
        self.run("pg_basebackup", "-D", self.folder / "data", "-R", "-d", other.url, "-c", "fast", "--no-sync")
        with (self.folder / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"recovery_min_apply_delay = '{lag_ms}ms'\n")
        return self.serve()

    def serve(self) -> "PostgresServer":
        log = open(self.folder / "log", "wb")
        with log:
            self.process = subprocess.Popen(
                [program("postgres"), "-D", self.folder / "data", "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                 "-k", self.folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **self.as_user)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while subprocess.run([program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """Its children end by themselves when it is gone."""
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.process.kill()
            self.process.wait()

    @property
    def url(self) -> str:
        return f"postgres://test@127.0.0.1:{self.port}/postgres"
