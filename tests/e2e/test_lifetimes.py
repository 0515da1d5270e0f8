"""Expiry and retention, with both made short."""

import time

import pytest

import api
from sheaf_server import scripted_model


@pytest.fixture
def hasty(make_server, account_of):
    """Batches live for 3 s and their results for 10."""
    server = make_server(models=[scripted_model(delay_ms=800, concurrency=1)],
                         limits={"batch_time_s": 3, "retention_s": 10})
    return account_of(server)


def test_an_expired_batch_keeps_what_was_finished_and_goes_after_its_time(hasty, media):
    client = hasty.client
    asset_id = hasty.asset(media.clip)
    started = time.monotonic()
    batch = api.create_batch(client, api.general_batch(20, asset_id))
    ended = api.wait_for_batch(client, batch["batch_id"], timeout_s=20)
    assert time.monotonic() - started < 3 + 4, "on time"
    assert ended["status"] == "expired" and ended["expired_at"] >= batch["expires_at"]
    assert ended["ready_items"] >= 1 and ended["ready_items"] + ended["canceled_items"] == 20
    first = api.raw_results(client, batch["batch_id"])
    lines = api.parse_results(first)
    assert sum(line["status"] == "ready" for line in lines) == ended["ready_items"]
    api.check_error(client.post(f"/analyze/batches/{batch['batch_id']}/cancel"), 409, "batch_expired")
    # The item that was running ends after the batch: its result must not appear.
    time.sleep(1.2)
    assert api.raw_results(client, batch["batch_id"]) == first
    assert api.batch_of(client, batch["batch_id"]) == ended

    def gone() -> bool:
        return client.get(f"/analyze/batches/{batch['batch_id']}").status_code == 404

    api.wait_for(gone, timeout_s=15, every_s=0.1, what="the batch being purged")
    assert time.monotonic() - started >= 10 - 0.2, "not before its time"
    api.check_error(client.get(f"/analyze/batches/{batch['batch_id']}/results"), 404, "resource_not_exist")
    api.check_error(client.get(f"/analyze/tasks/{batch['items'][0]['task_id']}"), 404, "resource_not_exist")
    assert api.count_batches(client) == 0


def test_a_batch_expires_while_the_server_is_down(hasty, media):
    server, asset_id = hasty.server, hasty.asset(media.clip)
    batch = api.create_batch(hasty.client, api.general_batch(10, asset_id))
    time.sleep(1)
    server.kill()
    time.sleep(2.5)
    server.start()
    with server.client(hasty.key) as client:
        # The very first look already shows the end.
        seen = api.batch_of(client, batch["batch_id"])
        assert seen["status"] == "expired", seen
        api.results_of(client, batch["batch_id"])


def test_expiry_ends_a_canceling_batch_too(make_server, account_of, media):
    account = account_of(make_server(models=[scripted_model(delay_ms=20_000, concurrency=1)],
                                     limits={"batch_time_s": 4}))
    batch = api.create_batch(account.client, api.general_batch(3, account.asset(media.clip)))
    api.wait_for(lambda: api.batch_of(account.client, batch["batch_id"])["processing_items"], what="an item running")
    assert account.client.post(f"/analyze/batches/{batch['batch_id']}/cancel").status_code == 202
    ended = api.wait_for_batch(account.client, batch["batch_id"], timeout_s=10)
    assert (ended["status"], ended["canceled_items"]) == ("expired", 3)


def test_an_expired_batch_frees_its_place_among_the_active_ones(make_server, account_of, media):
    account = account_of(make_server(models=[scripted_model(delay_ms=20_000, concurrency=1)],
                                     limits={"batch_time_s": 4, "active_batches_max": 1}))
    asset_id = account.asset(media.clip)
    first = api.create_batch(account.client, api.general_batch(1, asset_id))
    refused = account.client.post("/analyze/batches", json=api.general_batch(1, asset_id))
    api.check_error(refused, 429, "active_batch_limit_exceeded")
    api.wait_for_batch(account.client, first["batch_id"], {"expired"}, timeout_s=10)
    second = api.create_batch(account.client, api.general_batch(1, asset_id))
    # The slot of the expired item is free, too: nobody waits for an answer that nobody will see.
    api.wait_for(lambda: api.batch_of(account.client, second["batch_id"])["processing_items"], timeout_s=10,
                 what="the next item starting")


def test_total_content_is_bounded(make_server, account_of, media):
    """Full lengths count, every time an asset is named."""
    account = account_of(make_server(models=[scripted_model()], limits={"batch_content_hours_max": 15 / 3600}))
    asset_id = account.asset(media.clip)
    api.create_batch(account.client, api.general_batch(2, asset_id))
    error = api.check_error(account.client.post("/analyze/batches", json=api.general_batch(3, asset_id)), 400,
                            "parameter_invalid")
    assert "requests" in error["message"]
    assert api.count_batches(account.client) == 1
