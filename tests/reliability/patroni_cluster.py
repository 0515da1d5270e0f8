"""PostgreSQL as it is run where a machine may fail: two members under Patroni in synchronous mode, their leader in etcd.

All of it in one folder, on loopback, and as the user `postgres` when started by root. Needs Debian's patroni, etcd-server and
postgresql.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

from api import wait_for
from postgres_server import as_postgres_user, free_port, give_to_postgres_user, postgres_programs, signal_servers

TTL_S, LOOP_WAIT_S, RETRY_TIMEOUT_S = 20, 2, 9  # loop_wait + 2 * retry_timeout <= ttl
START_TIMEOUT_S = 90
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Member:
    """A PostgreSQL server and the Patroni that minds it: what dies when a machine does."""

    def __init__(self, cluster: "PatroniCluster", name: str) -> None:
        self.cluster, self.name, self.folder = cluster, name, cluster.folder / name
        self.port, self.rest_port = free_port(), free_port()
        self.data = self.folder / "data"
        self.patroni: subprocess.Popen | None = None
        self.folder.mkdir()
        give_to_postgres_user(self.folder)
        (self.folder / "patroni.yml").write_text(json.dumps(self.settings(), indent=1))  # JSON is YAML

    def settings(self) -> dict:
        users = {role: {"username": role, "password": role} for role in ("postgres", "replicator", "rewinder")}
        return {
            "scope": "sheaf", "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest_port}", "connect_address": f"127.0.0.1:{self.rest_port}"},
            "etcd3": {"host": f"127.0.0.1:{self.cluster.etcd_port}"},
            "bootstrap": {
                "dcs": {"ttl": TTL_S, "loop_wait": LOOP_WAIT_S, "retry_timeout": RETRY_TIMEOUT_S, "synchronous_mode": True,
                        "postgresql": {"use_pg_rewind": True, "parameters": {
                            "max_connections": 200, "wal_log_hints": "on", "shared_buffers": "64MB"}}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"]},
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}", "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self.data), "bin_dir": str(postgres_programs()), "pgpass": str(self.folder / "pgpass"),
                "authentication": {"superuser": users["postgres"], "replication": users["replicator"], "rewind": users["rewinder"]},
                "pg_hba": ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
                "parameters": {"unix_socket_directories": ""}},
        }

    def start(self) -> None:
        self.patroni = self.cluster.spawn(["patroni", str(self.folder / "patroni.yml")], self.folder / "patroni.log")

    def signal_postgres(self, number: int) -> int:
        """How many processes it has."""
        return signal_servers(self.data, number)

    def freeze(self) -> None:
        """As when the machine stands still: it answers nobody, and hangs up on nobody."""
        os.killpg(self.patroni.pid, signal.SIGSTOP)
        self.signal_postgres(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal_postgres(signal.SIGCONT)
        os.killpg(self.patroni.pid, signal.SIGCONT)

    def kill(self) -> None:
        """As when the machine goes: Patroni first, which would start PostgreSQL again, then each of its processes."""
        if self.patroni is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.patroni.pid, signal.SIGKILL)
            self.patroni.wait()
            self.patroni = None
        deadline = time.monotonic() + 10
        while self.signal_postgres(signal.SIGKILL) > 0 and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop_postgres(self, mode: str) -> None:
        """Behind the back of Patroni, which starts it again."""
        self.cluster.run([str(postgres_programs() / "pg_ctl"), "stop", "-D", str(self.data), "-m", mode])

    def is_leader(self) -> bool:
        """Whether it has the lock and takes writes."""
        try:
            with _opener.open(f"http://127.0.0.1:{self.rest_port}/primary", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def roles(self) -> dict[str, str]:
        """Of all members that run, as this one sees them: leader, sync_standby, replica."""
        try:
            with _opener.open(f"http://127.0.0.1:{self.rest_port}/cluster", timeout=2) as answer:
                return {member["name"]: member["role"] for member in json.load(answer)["members"]
                        if member["state"] in ("running", "streaming")}
        except OSError:
            return {}


class PatroniCluster:
    """Runs as long as its context."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.etcd_port, self.etcd_peer_port = free_port(), free_port()
        self.etcd: subprocess.Popen | None = None
        self.members: list[Member] = []

    def spawn(self, command: list[str], log: pathlib.Path) -> subprocess.Popen:
        with open(log, "ab") as out:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder, start_new_session=True,
                                    **as_postgres_user())

    def run(self, command: list[str]) -> str:
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=120, **as_postgres_user())
        if done.returncode != 0:
            raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def __enter__(self) -> "PatroniCluster":
        self.folder.mkdir()
        etcd_data = self.folder / "etcd"
        etcd_data.mkdir(mode=0o700)
        give_to_postgres_user(etcd_data)
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, self.etcd_peer_port))
        try:
            self.etcd = self.spawn(["etcd", "--data-dir", str(etcd_data), "--listen-client-urls", client, "--advertise-client-urls", client,
                                    "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                                    "--initial-cluster", f"default={peer}"], self.folder / "etcd.log")
            self.members = [Member(self, name) for name in ("one", "two")]
            for member in self.members:
                member.start()
            wait_for(self.is_whole, timeout_s=START_TIMEOUT_S, what="a synchronous standby")
            self.sql(self.url("postgres", "postgres") + "?target_session_attrs=read-write",
                     "CREATE ROLE sheaf LOGIN", "CREATE DATABASE sheaf OWNER sheaf")
            wait_for(self.is_known_to_all, timeout_s=START_TIMEOUT_S, what="the database on the standby")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.kill()
        if self.etcd is not None:
            self.etcd.kill()
            self.etcd.wait()

    def url(self, user: str = "sheaf", database: str = "sheaf") -> str:
        """All members, in no order that matters."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members)
        return f"postgres://{user}@{hosts}/{database}"

    def sql(self, url: str, *statements: str) -> str:
        commands = [part for statement in statements for part in ("-c", statement)]
        return self.run([str(postgres_programs() / "psql"), url, "-v", "ON_ERROR_STOP=1", "-qAt", *commands])

    def is_known_to_all(self) -> bool:
        """A host that does not know the database yet ends the search for one that takes writes."""
        with contextlib.suppress(RuntimeError):
            for member in self.members:
                self.sql(f"postgres://sheaf@127.0.0.1:{member.port}/sheaf", "SELECT 1")
            return True
        return False

    def leader(self) -> Member | None:
        return next((member for member in self.members if member.is_leader()), None)

    def is_whole(self) -> bool:
        """Whether there is a leader, and a standby that each commit waits for."""
        return any(sorted(member.roles().values()) == ["leader", "sync_standby"] for member in self.members)
