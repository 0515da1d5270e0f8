"""Sail batches over plain HTTP: the acceptance script of its contract, and what it leaves to be asked."""

import json

import httpx
import pytest

import api

MODEL = "practice"
DONE = {"COMPLETED", "FAILED", "CANCELLED"}


def body(*custom_ids: str, **extra: object) -> dict:
    return {"endpoint": "/v1/responses", "requests": [
        {"custom_id": custom_id, "params": {"model": MODEL, "input": f"Say {custom_id}."}} for custom_id in custom_ids], **extra}


@pytest.fixture(params=["/v1", "/sail/v1"])
def prefix(request) -> str:
    return request.param


def create(http: httpx.Client, prefix: str, asked: dict | str, **headers: str) -> httpx.Response:
    text = asked if isinstance(asked, str) else json.dumps(asked)
    return http.post(f"{prefix}/batches", content=text, headers={"content-type": "application/json", **headers})


def wait_until_done(http: httpx.Client, prefix: str, batch_id: str) -> dict:
    def probe() -> dict | None:
        status = http.get(f"{prefix}/batches/{batch_id}").json()
        assert len(status["request_status"]) == status["request_counts"], "no item may vanish"
        return status if {one["status"] for one in status["request_status"].values()} <= DONE else None

    return api.wait_for(probe, timeout_s=60, what="every item being done")


def test_the_acceptance_script(text, prefix):
    http = text.http
    asked = json.dumps(body("my-first-request", "my-second-request", label="my-batch-job"))
    created = create(http, prefix, asked, **{"Idempotency-Key": "k1"})
    assert created.status_code == 200 and created.headers["x-request-id"].startswith("req_")
    assert set(created.json()) == {"id", "request_counts", "created_at", "label"}
    assert (created.json()["request_counts"], created.json()["label"]) == (2, "my-batch-job")
    batch_id = created.json()["id"]

    assert create(http, prefix, asked, **{"Idempotency-Key": "k1"}).json()["id"] == batch_id
    other = create(http, prefix, asked + " ", **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")

    listed = http.get("/sail/v1/batches").json()
    assert [one["id"] for one in listed] == [batch_id]

    status = wait_until_done(http, prefix, batch_id)
    assert list(status["request_status"]) == ["my-first-request", "my-second-request"]

    item = http.get(f"{prefix}/batches/{batch_id}/my-first-request").json()
    assert item["status"] == "completed" and item["object"] == "response" and item["id"].startswith("resp_")
    message = next(one for one in item["output"] if one["type"] == "message")
    assert "Say my-first-request." in message["content"][0]["text"]
    assert set(item["usage"]["input_tokens_details"]) == {"cached_tokens", "reasoning_tokens"}
    assert item["usage"]["prompt_tokens"] == item["usage"]["input_tokens"] > 0

    missing = http.get(f"{prefix}/batches/{batch_id}/no-such-item")
    assert missing.status_code == 404 and set(missing.json()) == {"error"}
    stranger = httpx.get(f"{text.server.url}{prefix}/batches/{batch_id}/my-first-request")
    assert stranger.status_code == 401 and stranger.json()["error"]["message"]


def bad(change) -> dict:
    asked = body("one", "two")
    change(asked)
    return asked


@pytest.mark.parametrize("asked", [
    bad(lambda b: b["requests"][0]["params"].update(metadata={"completion_window": "asap"})),
    bad(lambda b: b["requests"][1].update(custom_id="one")),
    bad(lambda b: b["requests"][0].update(custom_id="Request-1")),
    bad(lambda b: b.update(requests=[])),
    bad(lambda b: b.update(endpoint="/v1/chat/completions")),
    bad(lambda b: b.update(label="no spaces")),
    bad(lambda b: b.update(colour="red")),
    bad(lambda b: b["requests"][0]["params"].update(stream=True)),
    bad(lambda b: b["requests"][0]["params"].update(model="unheard-of")),
])
def test_bad_batches_are_refused_whole(text, asked):
    refused = create(text.http, "/sail/v1", asked, **{"Idempotency-Key": "again"})
    assert refused.status_code == 400, refused.text
    assert set(refused.json()["error"]) == {"message", "type", "param", "code"}
    assert text.http.get("/sail/v1/batches").json() == []
    # The key is still free.
    assert create(text.http, "/sail/v1", body("one"), **{"Idempotency-Key": "again"}).status_code == 200


def test_an_item_can_be_read_at_every_stage(slow_text, prefix):
    http = slow_text.http
    batch_id = create(http, prefix, body(*[f"item-{n}" for n in range(6)])).json()["id"]
    last = http.get(f"{prefix}/batches/{batch_id}/item-5").json()
    assert (last["status"], last["output"], last["error"]) == ("pending", [], None)
    assert last["usage"]["total_tokens"] == 0 and last["metadata"] == {}
    seen = set()

    def probe() -> bool:
        for n in range(6):
            seen.add(http.get(f"{prefix}/batches/{batch_id}/item-{n}").json()["status"])
        return "completed" in seen

    api.wait_for(probe, what="an item being completed")
    assert seen >= {"pending", "running", "completed"}
    canceled = http.post(f"{prefix}/batches/{batch_id}/cancel").json()
    assert {one["status"] for one in canceled["request_status"].values()} <= DONE
    assert http.get(f"{prefix}/batches/{batch_id}/item-5").json()["status"] == "cancelled"


def test_the_two_dialects_of_one_path_do_not_meet(text):
    http, sdk = text.http, text.openai()
    sail = create(http, "/v1", body("one")).json()["id"]
    file = sdk.files.create(file=("a.jsonl", json.dumps({
        "custom_id": "one", "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}}).encode()), purpose="batch")
    openai_batch = sdk.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h").id
    assert [one.id for one in sdk.batches.list()] == [openai_batch]
    assert [one["id"] for one in http.get("/sail/v1/batches").json()] == [sail]
    assert http.get(f"/v1/batches/{openai_batch}/one").status_code == 404
    assert http.get(f"/sail/v1/batches/{openai_batch}").status_code == 404
    both = http.post("/v1/batches", json={"requests": [], "input_file_id": "file-x"})
    assert (both.status_code, both.json()["error"]["param"]) == (400, "requests")
    assert http.post("/v1/batches", json={}).json()["error"]["param"] == "input_file_id"


def test_a_status_that_has_not_changed_is_not_sent_again(text):
    http = text.http
    batch_id = create(http, "/sail/v1", body("one", "two")).json()["id"]
    wait_until_done(http, "/sail/v1", batch_id)
    first = http.get(f"/sail/v1/batches/{batch_id}")
    again = http.get(f"/sail/v1/batches/{batch_id}", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
