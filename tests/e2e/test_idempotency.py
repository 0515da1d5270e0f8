"""An Idempotency-Key makes a repeated create harmless, also across a restart."""

import concurrent.futures

import api
import httpx

SESSION = {"filename": "l.mp4", "type": "video", "total_size": 10_000_000}


def test_the_same_key_and_body_replays_the_first_answer(scripted, media):
    client = scripted.client
    asset_id = scripted.asset(media.clip)
    cases = [("/analyze/batches", api.general_batch(2, asset_id), 201),
             ("/analyze/tasks", {"video": api.video(asset_id), "prompt": "x"}, 202)]
    for path, body, status in cases:
        first = client.post(path, json=body, headers={"idempotency-key": "k-1"})
        assert first.status_code == status, first.text
        again = client.post(path, json=body, headers={"idempotency-key": "k-1"})
        assert (again.status_code, again.content) == (first.status_code, first.content), path
        other = client.post(path, json=body, headers={"idempotency-key": "k-2"})
        assert other.status_code == status and other.content != first.content, path
        changed = api.general_batch(3, asset_id) if path == "/analyze/batches" else {**body, "analysis_mode": "general"}
        conflict = client.post(path, json=changed, headers={"idempotency-key": "k-1"})
        api.check_error(conflict, 409, "idempotency_key_conflict")
    assert api.count_batches(client) == 2


def test_the_same_key_gives_the_same_upload_session_with_fresh_urls(scripted):
    def open_session(key: str, **changes):
        return scripted.client.post("/assets/multipart-uploads", json={**SESSION, **changes}, headers={"idempotency-key": key})

    first, again, other = open_session("k-1"), open_session("k-1"), open_session("k-2")
    assert [answer.status_code for answer in (first, again, other)] == [201] * 3
    assert without_urls(again.json()) == without_urls(first.json())
    assert other.json()["upload_id"] != first.json()["upload_id"]
    api.check_error(open_session("k-1", filename="m.mp4"), 409, "idempotency_key_conflict")

    *_, last = again.json()["upload_urls"]
    rest = bytes(SESSION["total_size"] - again.json()["chunk_size"])
    put = httpx.put(last["url"], content=rest, headers=again.json()["upload_headers"])
    assert put.status_code == 200, put.text


def without_urls(session: dict) -> dict:
    return {**session, "upload_urls": [entry["chunk_index"] for entry in session["upload_urls"]]}


def test_a_refused_create_does_not_use_the_key_up(scripted, media):
    client = scripted.client
    refused = client.post("/analyze/batches", json=api.general_batch([]), headers={"idempotency-key": "k"})
    api.check_error(refused, 400)
    body = api.general_batch(1, scripted.asset(media.clip))
    assert client.post("/analyze/batches", json=body, headers={"idempotency-key": "k"}).status_code == 201


def test_the_key_belongs_to_its_account(scripted_server, account_of, media):
    made = []
    for account in (account_of(scripted_server), account_of(scripted_server)):
        body = api.general_batch(1, account.asset(media.clip))
        made.append(api.create_batch(account.client, body, **{"idempotency-key": "same"})["batch_id"])
    assert len(set(made)) == 2


def test_many_at_once_make_one_batch(scripted, media):
    body = api.general_batch(3, scripted.asset(media.clip))

    def create(_: int) -> tuple[int, bytes]:
        with scripted.server.client(scripted.key) as client:
            response = client.post("/analyze/batches", json=body, headers={"idempotency-key": "rush"})
            return response.status_code, response.content

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))
    assert {status for status, _ in answers} == {201}, answers
    assert len({content for _, content in answers}) == 1
    assert api.count_batches(scripted.client) == 1


def test_the_key_is_remembered_over_a_kill(make_server, account_of, media):
    from sheaf_server import scripted_model
    server = make_server(models=[scripted_model(delay_ms=1)])
    account = account_of(server)
    body = api.general_batch(2, account.asset(media.clip))
    first = api.create_batch(account.client, body, **{"idempotency-key": "k"})
    server.kill()
    server.start()
    with server.client(account.key) as client:
        assert api.create_batch(client, body, **{"idempotency-key": "k"}) == first
        assert api.count_batches(client) == 1
