"""A store on several PostgreSQL hosts, of which one takes writes: it is found, also when it is another than before."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import api
from postgres_server import PostgresServer, free_port
from sheaf_server import SheafServer

ITEMS = 40
MODEL = {"name": "practice", "backend": "scripted", "answer": "answer for {custom_id}", "delay_ms": 50, "concurrency": 4}


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that the user PostgreSQL runs as can reach."""
    with tempfile.TemporaryDirectory(prefix="sheaf-hosts-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def store_on(*ports: int) -> str:
    return f"postgres://sheaf@{','.join(f'127.0.0.1:{port}' for port in ports)}/postgres"


def client_of(server: SheafServer, key: str | None = None) -> httpx.Client:
    key = key or server.create_key("anna").key
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=30)


def created(client: httpx.Client) -> httpx.Response:
    requests = [{"custom_id": f"item-{number}", "params": {"model": "practice", "input": "Say it."}} for number in range(ITEMS)]
    return client.post("/sail/v1/batches", headers={"idempotency-key": "the-key"}, json={"endpoint": "/v1/responses", "requests": requests})


def succeeded(client: httpx.Client, batch: str) -> int:
    answer = client.get(f"/sheaf/v1/batches/{batch}")
    assert answer.status_code == 200, answer.text
    return answer.json()["counts"]["succeeded"]


def test_of_several_hosts_the_one_that_takes_writes_is_used(make_server, folder):
    standby = PostgresServer(folder / "standby", default_transaction_read_only="on").start()
    primary = PostgresServer(folder / "primary").start()
    try:
        server = make_server(models=[MODEL], settings={"store": store_on(free_port(), standby.port, primary.port)})
        with client_of(server) as client:
            batch = created(client).json()["id"]
            api.wait_for(lambda: succeeded(client, batch) == ITEMS, what="the end of the batch")
        server.stop()
    finally:
        standby.crash()
        primary.crash()


def test_work_goes_on_where_the_database_is_next(make_server, folder):
    """The same data appears at another host, as behind a standby that was promoted."""
    first, second = free_port(), free_port()
    database = PostgresServer(folder / "database").start(first)
    try:
        server = make_server(models=[MODEL], settings={"store": store_on(first, second)})
        with client_of(server) as client:
            batch = created(client).json()["id"]
            api.wait_for(lambda: succeeded(client, batch) > ITEMS / 10, what="some results")

            database.crash()
            refused = created(client)
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0, refused.text
            database.start(second)
            started = time.monotonic()

            api.wait_for(lambda: created(client).status_code == 200, what="a write that is acknowledged")
            assert time.monotonic() - started < 15
            assert created(client).json()["id"] == batch
            api.wait_for(lambda: succeeded(client, batch) == ITEMS, what="the end of the batch")
            lines = client.get(f"/sheaf/v1/batches/{batch}/results").text.splitlines()
            assert len(lines) == ITEMS
        server.stop()
    finally:
        database.crash()


def test_a_database_that_stands_still_is_left_for_the_one_that_took_over(make_server, folder):
    """As when its machine or its disk stands still: it answers nobody, and hangs up on nobody."""
    former = PostgresServer(folder / "former").start()
    successor = None
    try:
        second = free_port()
        server = make_server(models=[MODEL], start=False, settings={"store": store_on(former.port, second)})
        key = server.create_key("anna").key
        former.crash()
        successor = former.copy(folder / "successor")
        former.start()
        server.start()
        with client_of(server, key) as client:
            assert client.get("/sheaf/v1/batches").status_code == 200
            former.freeze()
            successor.start(second)
            client.timeout = 5

            def is_acknowledged() -> bool:
                with contextlib.suppress(httpx.TimeoutException):
                    return created(client).status_code == 200
                return False

            api.wait_for(is_acknowledged, timeout_s=60, what="a write that is acknowledged")
            client.timeout = 30
            batch = created(client).json()["id"]
            api.wait_for(lambda: succeeded(client, batch) == ITEMS, what="the end of the batch")
        server.stop()
    finally:
        former.thaw()
        former.crash()
        if successor is not None:
            successor.crash()
