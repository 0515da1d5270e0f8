"""A full disk: nothing is acknowledged that is not kept, nothing kept is lost, and it goes on when there is room."""

import os
import subprocess
import time
from pathlib import Path

import pytest

import api
from sheaf_server import scripted_model


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with 64 MiB. Mounting one is root's right."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    where = tmp_path / "disk"
    where.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(where)], capture_output=True,
                          text=True)
    if done.returncode != 0:
        pytest.skip(f"a small file system could not be mounted: {done.stderr.strip()}")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with open(filler, "ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            while True:
                try:
                    if file.write(b"\xff" * size) < size:
                        break
                except OSError:
                    break
    return filler


def refused_for_space(response) -> bool:
    if response.status_code < 400:
        return False
    assert response.status_code in (503, 507), response.text
    api.check_error(response, response.status_code)
    return True


def test_a_full_disk_is_refused_survived_and_left_behind(make_server, account_of, media, small_disk):
    server = make_server(models=[scripted_model(answer="{custom_id} " + "x" * 3000, delay_ms=100, concurrency=2,
                                                attempts_max=100)],
                         settings={"data": str(small_disk / "data")})
    account = account_of(server)
    client = account.client
    asset_id = account.asset(media.clip)
    batch = api.create_batch(client, api.general_batch(60, asset_id))
    api.wait_for(lambda: api.batch_of(client, batch["batch_id"])["ready_items"] > 3, what="some results")

    filler = fill(small_disk)
    acknowledged = []
    refusals = 0
    big = api.general_batch(200, asset_id, prompt="p" * 100_000)
    for _ in range(5):
        response = client.post("/analyze/batches", json=big)
        refusals += refused_for_space(response)
        if response.status_code == 201:
            acknowledged.append(response.json())
        with open(media.large_clip, "rb") as file:
            refusals += refused_for_space(client.post("/assets", data={"method": "direct"},
                                                      files={"file": ("l.mp4", file)}))
        assert client.get(f"/analyze/batches/{batch['batch_id']}").status_code == 200, "reading goes on"
        time.sleep(0.3)
    assert refusals >= 5, "the disk was not full"
    time.sleep(2)
    assert server.process.poll() is None, f"the server ended:\n{server.log()}"
    during = api.results_of(client, batch["batch_id"])

    filler.unlink()
    ended = api.wait_for_batch(client, batch["batch_id"], timeout_s=90)
    assert (ended["status"], ended["ready_items"]) == ("completed", 60), ended
    lines = api.results_of(client, batch["batch_id"])
    assert [line["custom_id"] for line in lines] == [f"item-{i:04d}" for i in range(60)]
    for before, after in zip(during, lines):
        if before["status"] in api.TERMINAL_ITEMS:
            assert before == after, "a result changed"
    assert {b["batch_id"] for b in client.get("/analyze/batches").json()["data"]} == \
        {b["batch_id"] for b in [batch, *acknowledged]}, "exactly the acknowledged ones exist"
    fresh = api.create_batch(client, api.general_batch(2, asset_id))
    assert api.wait_for_batch(client, fresh["batch_id"])["ready_items"] == 2

    server.restart()
    with server.client(account.key) as client:
        assert api.results_of(client, batch["batch_id"]) == lines


def test_a_server_that_cannot_start_for_lack_of_room_says_so(make_server, small_disk):
    server = make_server(start=False, settings={"data": str(small_disk / "data")})
    filler = fill(small_disk)
    with pytest.raises(AssertionError) as refused:
        server.start()
    assert "ended with 3" in str(refused.value) and "full" in str(refused.value)
    filler.unlink()
    server.start()
