"""Many callers at once: limits hold at every instant, and a stream is whole or visibly broken."""

import concurrent.futures

import api
from raw_http import RawConnection, request_bytes
from sheaf_server import scripted_model


def at_once(account, count: int, call) -> list:
    def run(number: int):
        with account.server.client(account.key) as client:
            return call(client, number)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_the_limit_of_active_batches_holds_in_a_rush(slow, media):
    asset_id = slow.asset(media.clip)
    statuses = at_once(slow, 12, lambda client, _: client.post(
        "/analyze/batches", json=api.general_batch(6, asset_id)).status_code)
    assert sorted(statuses) == [201] * 5 + [429] * 7
    assert api.count_batches(slow.client) == 5


def test_batches_of_another_vendor_take_no_place_of_the_limit(make_server, account_of, media):
    account = account_of(make_server(models=[scripted_model(), {"name": "practice", "backend": "scripted", "delay_ms": 60_000}],
                                     limits={"active_batches_max": 1}))
    other = account.client.post(f"{account.server.url}/v1/messages/batches", json={"requests": [
        {"custom_id": "a", "params": {"model": "practice", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}}]})
    assert other.status_code == 200, other.text
    api.create_batch(account.client, api.general_batch(1, account.asset(media.clip)))


def test_one_of_many_cancels_and_deletes_wins_and_the_rest_are_told(slow, media):
    asset_id = slow.asset(media.clip)
    batch = api.create_batch(slow.client, api.general_batch(6, asset_id))
    path = f"/analyze/batches/{batch['batch_id']}"
    statuses = at_once(slow, 8, lambda client, _: client.post(f"{path}/cancel").status_code)
    assert set(statuses) <= {202, 409} and 202 in statuses
    api.wait_for_batch(slow.client, batch["batch_id"])
    statuses = at_once(slow, 8, lambda client, _: client.delete(path).status_code)
    assert sorted(statuses) == [204] + [404] * 7


def test_an_asset_deleted_in_a_rush_of_batches_leaves_no_batch_without_an_end(slow, media):
    asset_id = slow.asset(media.other_clip)

    def call(client, number: int) -> int:
        if number == 3:
            return client.delete(f"/assets/{asset_id}", params={"force": "true"}).status_code
        return client.post("/analyze/batches", json=api.general_batch(1, asset_id)).status_code

    statuses = at_once(slow, 6, call)
    assert statuses[3] == 204 and set(statuses) <= {201, 204, 404}
    for batch in slow.client.get("/analyze/batches").json()["data"]:
        assert api.wait_for_batch(slow.client, batch["batch_id"])["status"] == "completed"


def test_uploads_at_once_are_each_their_own(scripted, media):
    made = at_once(scripted, 8, lambda client, number: api.ready_asset(client, media.clip, filename=f"{number}.mp4"))
    assert len(set(made)) == 8
    names = {asset["_id"]: asset["filename"] for asset in
             scripted.client.get("/assets", params={"page_limit": 50}).json()["data"]}
    assert names == {asset_id: f"{number}.mp4" for number, asset_id in enumerate(made)}


def test_results_that_are_deleted_while_they_are_read_are_whole_or_broken(make_server, account_of, media):
    """More than the sockets hold: a reader never takes a part for the whole."""
    account = account_of(make_server(models=[scripted_model(answer="x" * 50_000, concurrency=16)]))
    batch = api.create_batch(account.client, api.general_batch(500, account.asset(media.clip)))
    api.wait_for_batch(account.client, batch["batch_id"])
    whole = api.raw_results(account.client, batch["batch_id"])
    with RawConnection(account.server.port) as connection:
        connection.send(request_bytes("GET", f"/v1.3/analyze/batches/{batch['batch_id']}/results",
                                      {"x-api-key": account.key.key}))
        connection.buffer = connection.socket.recv(2000)
        assert account.client.delete(f"/analyze/batches/{batch['batch_id']}").status_code == 204
        try:
            response = connection.read_response()
        except AssertionError:
            return  # cut in the middle of a chunked body: visible
        assert response.body == whole or len(response.body) < int(response.headers["content-length"])


def test_a_poll_in_every_moment_sees_a_consistent_batch(make_server, account_of, media):
    """Counters and lines of one moment, from many readers, while items finish as fast as they can."""
    from observer import Observer
    account = account_of(make_server(models=[scripted_model(answer="{custom_id}", concurrency=16)]))
    batch = api.create_batch(account.client, api.general_batch(1000, account.asset(media.clip)))

    def watch(client, _: int) -> int:
        observer = Observer()
        while observer.look(client, batch["batch_id"])["status"] not in api.TERMINAL:
            pass
        observer.look(client, batch["batch_id"])
        return observer.looks

    looks = at_once(account, 4, watch)
    assert min(looks) >= 2
    lines = api.results_of(account.client, batch["batch_id"])
    assert [line["data"]["data"] for line in lines] == [f"item-{i:04d}" for i in range(1000)]
