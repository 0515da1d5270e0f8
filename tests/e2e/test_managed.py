"""A model server that Sheaf starts itself: when there is work, and never for longer than Sheaf lives."""

import os
import signal

import pytest

import api


@pytest.fixture
def managed_model(stand_in, tmp_path):
    """A model whose server is the stand-in, started through a script that notes its process id."""
    script = tmp_path / "serve.sh"
    script.write_text(f'#!/bin/sh\necho $$ >> {tmp_path}/pids\nexec {stand_in.program} --port "$1"\n', encoding="utf-8")
    script.chmod(0o755)

    def make(**settings: object) -> dict:
        return {"name": "pegasus1.5", "backend": "chat", "model": "stand-in", "command": [str(script), "{port}"],
                **settings}

    make.pids = lambda: [int(line) for line in (tmp_path / "pids").read_text().split()] \
        if (tmp_path / "pids").exists() else []
    return make


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid: int) -> None:
    api.wait_for(lambda: not is_alive(pid), timeout_s=20, what=f"process {pid} being gone")


def run(account, media, count: int = 3) -> None:
    asset_id = account.asset(media.clip)
    batch = api.create_batch(account.client, api.general_batch(count, asset_id))
    ended = api.wait_for_batch(account.client, batch["batch_id"])
    assert ended["status"] == "completed"
    assert all(line["status"] == "ready" for line in api.results_of(account.client, batch["batch_id"]))


def test_it_is_started_for_a_batch_and_stopped_when_idle(make_server, account_of, media, managed_model):
    account = account_of(make_server(models=[managed_model(idle_time_s=3)]))
    assert managed_model.pids() == []
    run(account, media)
    first = managed_model.pids()
    assert len(first) == 1
    wait_until_gone(first[0])
    run(account, media)
    assert len(managed_model.pids()) == 2
    assert "model server is up" in account.server.log()


def test_it_is_started_again_when_it_dies(make_server, account_of, media, managed_model):
    account = account_of(make_server(models=[managed_model()]))
    run(account, media)
    os.kill(managed_model.pids()[0], signal.SIGKILL)
    wait_until_gone(managed_model.pids()[0])
    run(account, media)
    assert len(managed_model.pids()) == 2


def test_it_does_not_outlive_a_server_that_stops_or_is_killed(make_server, account_of, media, managed_model):
    server = make_server(models=[managed_model()])
    run(account_of(server), media)
    assert server.stop() == 0
    assert not is_alive(managed_model.pids()[-1])
    server.start()
    run(account_of(server), media)
    pid = managed_model.pids()[-1]
    assert is_alive(pid)
    server.kill()
    wait_until_gone(pid)
