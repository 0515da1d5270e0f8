"""Sail's batch API as a hand-written client uses it: create, poll the map of states, fetch each item."""

import json
import subprocess
import time

import httpx
import pytest

ENDED = {"COMPLETED", "FAILED", "CANCELLED"}
NOT_FOUND = {"error": {"message": "The batch or request was not found.", "type": "not_found_error", "param": None,
                       "code": None}}


@pytest.fixture
def sail(scripted):
    with client_of(scripted) as client:
        yield client


@pytest.fixture
def slow_sail(slow):
    with client_of(slow) as client:
        yield client


def client_of(account) -> httpx.Client:
    return httpx.Client(base_url=account.server.url + "/sail/v1", timeout=30,
                        headers={"Authorization": f"Bearer {account.key.key}"})


def item(custom_id: str, text: str = "Hello", **params: object) -> dict:
    return {"custom_id": custom_id, "params": {"model": "pegasus1.5", "input": text, **params}}


def batch(*items: dict, **members: object) -> dict:
    return {"endpoint": "/v1/responses", "requests": list(items), **members}


def create(client: httpx.Client, body: dict, **headers: str) -> dict:
    answer = client.post("/batches", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_for(client: httpx.Client, batch_id: str, timeout_s: float = 60) -> dict:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        shown = client.get(f"/batches/{batch_id}").json()
        words = [entry["status"] for entry in shown["request_status"].values()]
        assert len(words) == shown["request_counts"]
        if ENDED.issuperset(words):
            return shown
        time.sleep(0.1)
    raise AssertionError(f"{batch_id} did not end: {shown}")


def text_of(response: dict) -> str:
    return "".join(part["text"] for entry in response["output"] if entry["type"] == "message"
                   for part in entry["content"] if part["type"] == "output_text")


def test_a_batch_from_its_creation_to_its_items(sail):
    body = batch(item("my-first-request"), item("my-second-request", "sheaf:fail"), label="my-batch-job")
    raw = json.dumps(body)
    made = sail.post("/batches", content=raw, headers={"Idempotency-Key": "k1"}).json()
    assert made["request_counts"] == 2 and made["label"] == "my-batch-job"
    again = sail.post("/batches", content=raw, headers={"Idempotency-Key": "k1"})
    assert again.json() == made
    changed = sail.post("/batches", content=raw + " ", headers={"Idempotency-Key": "k1"})
    assert changed.status_code == 400 and changed.json()["error"]["type"] == "idempotency_error"
    assert sail.get("/batches").json()[0]["id"] == made["id"]

    ended = wait_for(sail, made["id"])
    assert ended["request_status"] == {"my-first-request": {"status": "COMPLETED"},
                                       "my-second-request": {"status": "FAILED"}}
    good = sail.get(f"/batches/{made['id']}/my-first-request").json()
    assert good["status"] == "completed" and good["object"] == "response" and good["error"] is None
    assert text_of(good) and good["input"] == "Hello" and good["usage"]["total_tokens"] > 0
    bad = sail.get(f"/batches/{made['id']}/my-second-request").json()
    assert bad["status"] == "failed" and bad["output"] == [] and bad["error"]["message"]
    assert sail.get(f"/responses/{good['id']}").json()["status"] == "completed"

    missing = sail.get(f"/batches/{made['id']}/nothing")
    assert missing.status_code == 404 and missing.json() == NOT_FOUND
    stranger = httpx.get(f"{sail.base_url}batches/{made['id']}/my-first-request")
    assert stranger.status_code == 401 and stranger.json()["error"]["type"] == "authentication_error"


def test_what_is_wrong_with_one_item_refuses_all(sail):
    wrong = [batch(item("a"), item("b", metadata={"completion_window": "asap"})), batch(item("a"), item("a")),
             batch(item("Request-1")), batch(), batch(item("a", model="nobody"))]
    for body in wrong:
        answer = sail.post("/batches", json=body)
        assert answer.status_code == 400, answer.text
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert sail.get("/batches").json() == []


def test_unfinished_items_are_shown_and_canceled(slow_sail):
    made = create(slow_sail, batch(*(item(f"item-{n}") for n in range(6))))
    shown = slow_sail.get(f"/batches/{made['id']}")
    assert len(shown.json()["request_status"]) == 6
    pending = slow_sail.get(f"/batches/{made['id']}/item-5").json()
    assert pending["status"] == "pending" and pending["output"] == [] and pending["usage"]["total_tokens"] == 0
    canceled = slow_sail.post(f"/batches/{made['id']}/cancel")
    assert canceled.status_code == 200
    assert all(entry["status"] in ENDED for entry in canceled.json()["request_status"].values())
    assert slow_sail.get(f"/batches/{made['id']}/item-5").json()["status"] == "cancelled"
    etag = slow_sail.get(f"/batches/{made['id']}").headers["etag"]
    assert slow_sail.get(f"/batches/{made['id']}", headers={"If-None-Match": etag}).status_code == 304


def test_single_responses_at_once_streamed_and_in_the_background(sail):
    request = {"model": "pegasus1.5", "input": "Hello"}
    whole = sail.post("/responses", json=request)
    assert whole.status_code == 200 and text_of(whole.json())
    with sail.stream("POST", "/responses", json={**request, "stream": True}) as streamed:
        assert streamed.headers["content-type"] == "text/event-stream"
        events = [line for line in streamed.iter_lines() if line.startswith("event: ")]
    assert events[-1] == "event: response.completed"
    accepted = sail.post("/responses", json={**request, "background": True})
    assert accepted.status_code == 202 and accepted.json()["status"] == "queued"
    deadline = time.monotonic() + 30
    while (found := sail.get(f"/responses/{accepted.json()['id']}").json())["status"] in ("queued", "in_progress"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found["status"] == "completed" and text_of(found)
    assert sail.get("/batches").json() == []


def test_our_command_submits_and_reads_a_batch_of_this_api(scripted, sail, tmp_path):
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(json.dumps(item(name)) for name in ("a", "b")))
    environment = {"SHEAF_SERVER": scripted.server.url, "SHEAF_API_KEY": scripted.key.key}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(scripted.server.binary), *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, env=environment)

    done = run("submit", path, "--json")
    assert done.returncode == 0, done
    assert [json.loads(line)["custom_id"] for line in done.stdout.strip().split("\n")] == ["a", "b"]
    made, = sail.get("/batches").json()
    shown = run("results", made["id"])
    assert shown.returncode == 0 and shown.stdout.count("[ready]") == 2, shown
    assert run("delete", made["id"]).returncode == 0
    assert sail.get(f"/batches/{made['id']}").status_code == 404
