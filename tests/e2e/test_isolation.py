"""What belongs to another account is as if it were not there."""

import httpx
import pytest

import api


@pytest.fixture
def two(scripted_server, account_of):
    return account_of(scripted_server), account_of(scripted_server)


def told(response: httpx.Response, of: str) -> tuple:
    """Everything a caller can see of a response, with the id it asked for taken out."""
    hidden = {"date", "x-request-id", "content-length"}
    headers = {name: value for name, value in response.headers.items() if name not in hidden}
    return response.status_code, headers, response.text.replace(of, "ID")


def test_anothers_ids_look_exactly_like_ids_that_do_not_exist(two, media):
    mine, other = two
    asset_id = mine.asset(media.clip)
    batch = api.create_batch(mine.client, api.general_batch(2, asset_id))
    api.wait_for_batch(mine.client, batch["batch_id"])
    session = mine.client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                  "total_size": 10_000_000}).json()
    ids = {"batch": batch["batch_id"], "task": batch["items"][0]["task_id"], "asset": asset_id,
           "upload": session["upload_id"]}
    report = {"completed_chunks": [{"chunk_index": 1, "proof": "0" * 32, "proof_type": "etag", "chunk_size": 5}]}
    calls = [("GET", "/analyze/batches/{batch}", None), ("GET", "/analyze/batches/{batch}/results", None),
             ("POST", "/analyze/batches/{batch}/cancel", None), ("DELETE", "/analyze/batches/{batch}", None),
             ("GET", "/analyze/tasks/{task}", None), ("DELETE", "/analyze/tasks/{task}", None),
             ("GET", "/assets/{asset}", None), ("DELETE", "/assets/{asset}", None),
             ("DELETE", "/assets/{asset}?force=true", None),
             ("PUT", "/assets/{asset}/user-metadata", {"user_metadata": {"a": "b"}}),
             ("PATCH", "/assets/{asset}/user-metadata", {"user_metadata": {"a": "b"}}),
             ("DELETE", "/assets/{asset}/user-metadata", None),
             ("GET", "/assets/multipart-uploads/{upload}", None),
             ("POST", "/assets/multipart-uploads/{upload}", report),
             ("POST", "/assets/multipart-uploads/{upload}/presigned-urls", {"start": 1, "count": 1}),
             ("POST", "/analyze/batches", {**api.general_batch([{"video": api.video("{asset}")}])}),
             ("POST", "/analyze/tasks", {"video": api.video("{asset}"), "prompt": "x"}),
             ("POST", "/analyze", {"video": api.video("{asset}"), "prompt": "x", "stream": False})]

    def filled(value, chosen: dict):
        if isinstance(value, str):
            for name, id in chosen.items():
                value = value.replace("{" + name + "}", id)
            return value
        if isinstance(value, dict):
            return {key: filled(inner, chosen) for key, inner in value.items()}
        return [filled(inner, chosen) for inner in value] if isinstance(value, list) else value

    nowhere = {name: api.NO_SUCH_ID for name in ids}
    for method, path, body in calls:
        kind = next((name for name in ids if "{" + name + "}" in path), "asset")
        foreign = other.client.request(method, filled(path, ids), json=filled(body, ids))
        missing = other.client.request(method, filled(path, nowhere), json=filled(body, nowhere))
        assert foreign.status_code in (400, 404), (method, path, foreign.text)
        assert told(foreign, ids[kind]) == told(missing, api.NO_SUCH_ID), (method, path)
        assert len(foreign.content) == len(missing.content), (method, path)

    for path in ("/analyze/batches", "/analyze/tasks", "/assets", "/assets/multipart-uploads"):
        assert other.client.get(path).json()["data"] == [], path
    assert other.client.get("/assets", params={"asset_ids": asset_id}).json()["data"] == []
    assert api.batch_of(mine.client, batch["batch_id"])["status"] == "completed", "nothing happened to it"
    assert mine.client.get(f"/assets/{asset_id}").json()["status"] == "ready"


def test_a_revoked_key_is_refused_within_a_second_or_so(scripted_server, account_of):
    account = account_of(scripted_server)
    assert account.client.get("/analyze/batches").status_code == 200
    done = scripted_server.cli("keys", "revoke", account.key.id, "--data", str(scripted_server.data))
    assert done.returncode == 0, done.stderr
    api.wait_for(lambda: account.client.get("/analyze/batches").status_code == 401, timeout_s=5, what="the refusal")


def test_two_keys_of_one_account_see_the_same(scripted_server, account_of):
    first = account_of(scripted_server, "shared-account")
    second = account_of(scripted_server, "shared-account")
    session = first.client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                   "total_size": 10}).json()
    assert second.client.get(f"/assets/{session['asset_id']}").status_code == 200


def test_keys_are_not_in_the_log_or_the_data(scripted_server, account_of, media):
    account = account_of(scripted_server)
    account.asset(media.clip)
    secret = account.key.key.encode()[-30:]
    assert secret not in scripted_server.log_path.read_bytes()
    for path in scripted_server.data.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes(), path
