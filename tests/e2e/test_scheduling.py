"""Whose turn it is: nobody waits behind somebody's thousand items, and items of a batch are independent."""

import time

import api
from sheaf_server import scripted_model


def test_a_small_batch_does_not_wait_behind_a_large_one(make_server, account_of, media):
    server = make_server(models=[scripted_model(delay_ms=40, concurrency=2)])
    large, small = account_of(server), account_of(server)
    large_asset, small_asset = large.asset(media.clip), small.asset(media.clip)
    first = api.create_batch(large.client, api.general_batch(400, large_asset))
    api.wait_for_batch(large.client, first["batch_id"], {"processing"})
    second = api.create_batch(small.client, api.general_batch(4, small_asset))
    third = api.create_batch(large.client, api.general_batch(4, large_asset))
    for account, batch in ((small, second), (large, third)):
        ended = api.wait_for_batch(account.client, batch["batch_id"])
        assert ended["ready_items"] == 4
        assert api.batch_of(large.client, first["batch_id"])["status"] == "processing", "it overtook the large one"
    api.wait_for_batch(large.client, first["batch_id"])


def test_concurrency_is_used_and_not_exceeded(make_server, account_of, media):
    account = account_of(make_server(models=[scripted_model(delay_ms=400, concurrency=3)]))
    asset_id = account.asset(media.clip)
    started = time.monotonic()
    batch = api.create_batch(account.client, api.general_batch(12, asset_id))
    most = 0
    while (seen := api.batch_of(account.client, batch["batch_id"]))["status"] not in api.TERMINAL:
        most = max(most, seen["processing_items"])
        time.sleep(0.02)
    took = time.monotonic() - started
    # An answered item is shown as processing until its result is durable, while its slot is used again.
    assert 3 <= most <= 6
    assert 1.6 <= took < 20, f"12 items of 0.4 s, three at a time, took {took:.1f} s"


def test_work_starts_when_it_arrives(scripted, media):
    """No timer stands between a new item and a free slot."""
    asset_id = scripted.asset(media.clip)

    def ten_batches_s() -> float:
        started = time.monotonic()
        for _ in range(10):
            batch = api.create_batch(scripted.client, api.general_batch(1, asset_id))
            api.wait_for_batch(scripted.client, batch["batch_id"])
        return time.monotonic() - started

    assert any(ten_batches_s() < 6 for _ in range(4))


def test_items_that_fail_and_attempts_that_break_leave_the_rest_alone(make_server, account_of, media):
    account = account_of(make_server(models=[scripted_model(
        answer="{attempt}", fail_rate=0.2, broken_rate=0.3, overload_rate=0.2, concurrency=8, attempts_max=8,
        retry_first_wait_ms=5, retry_wait_max_ms=20)]))
    batch = api.create_batch(account.client, api.general_batch(200, account.asset(media.clip)))
    ended = api.wait_for_batch(account.client, batch["batch_id"])
    assert ended["status"] == "completed" and ended["ready_items"] + ended["failed_items"] == 200
    assert 10 <= ended["failed_items"] <= 80
    lines = api.results_of(account.client, batch["batch_id"])
    assert any(int(line["data"]["data"]) > 1 for line in lines if line["status"] == "ready"), "some took two attempts"


def test_a_batch_whose_items_all_fail_is_completed(make_server, account_of, media):
    account = account_of(make_server(models=[scripted_model(fail_rate=1)]))
    batch = api.create_batch(account.client, api.general_batch(5, account.asset(media.clip)))
    ended = api.wait_for_batch(account.client, batch["batch_id"])
    assert (ended["status"], ended["failed_items"]) == ("completed", 5) and "completed_at" in ended
    task = account.client.get(f"/analyze/tasks/{batch['items'][0]['task_id']}").json()
    assert task["status"] == "failed" and task["error"]["message"] and "result" not in task


def test_a_task_may_be_deleted_before_and_after_but_not_while_it_runs(slow, media):
    client = slow.client
    asset_id = slow.asset(media.clip)
    tasks = [client.post("/analyze/tasks", json={"video": api.video(asset_id), "prompt": "x"}).json()["task_id"]
             for _ in range(6)]

    def status(task: str) -> str:
        response = client.get(f"/analyze/tasks/{task}")
        return response.json()["status"] if response.status_code == 200 else "gone"

    running = api.wait_for(lambda: next((task for task in tasks if status(task) == "processing"), None),
                           what="a task running")
    api.check_error(client.delete(f"/analyze/tasks/{running}"), 409, "task_cannot_be_deleted")
    queued = next(task for task in reversed(tasks) if status(task) == "queued")
    assert client.delete(f"/analyze/tasks/{queued}").status_code == 204
    assert status(queued) == "gone"
    api.wait_for(lambda: status(running) == "ready", what="the task ending")
    assert client.delete(f"/analyze/tasks/{running}").status_code == 204
    api.wait_for(lambda: all(status(task) in ("ready", "gone") for task in tasks), what="the other tasks")
