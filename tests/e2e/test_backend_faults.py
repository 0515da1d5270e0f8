"""A model server that misbehaves in every way: an item is tried again within bounds, then fails; the others go on."""

import json
import socket
import time

import pytest

import api
from sheaf_server import chat_model
from stand_in import StandIn

ATTEMPTS = 3


@pytest.fixture
def chat(make_server, account_of, stand_in):
    """An account of a server whose model is the stand-in; its retries are quick."""
    return account_of(make_server(models=[chat_model(
        stand_in.url, concurrency=4, attempts_max=ATTEMPTS, overloads_max=4, retry_first_wait_ms=20,
        retry_wait_max_ms=200, answer_time_s=5)]))


def told(action: str, number: int = 0) -> dict:
    """A prompt that tells the stand-in what to do."""
    return {"input_text": f"Question {number} with fault.\nstand-in: {action}"}


def run(chat, media, prompts: dict[str, dict], **extra: object) -> dict[str, dict]:
    """The result lines by custom_id of one batch with these prompts on one asset."""
    asset_id = chat.asset(media.clip)
    requests = [{"video": api.video(asset_id), "custom_id": name, "prompt": prompt, **extra}
                for name, prompt in prompts.items()]
    batch = api.create_batch(chat.client, api.general_batch(requests, prompt=None))
    ended = api.wait_for_batch(chat.client, batch["batch_id"])
    assert ended["status"] == "completed"
    return {line["custom_id"]: line for line in api.results_of(chat.client, batch["batch_id"])}


def test_an_answer_of_the_model_arrives(chat, media, stand_in):
    text = "The words \u00e9 \u65e5\u672c \U0001f600 \u2028 \u0085 arrive."
    lines = run(chat, media, {"a": told(f"say text={text}"), "b": {"input_text": "What is it?"}})
    assert lines["a"]["data"]["data"] == text
    assert lines["a"]["data"]["usage"]["output_tokens"] > 0 and lines["a"]["data"]["usage"]["input_tokens"] > 0
    assert "pictures" in lines["b"]["data"]["data"]
    stand_in.check_requests()


def test_faults_of_one_item_are_its_own(chat, media, stand_in):
    """Everything that can break breaks in one batch, between two good items."""
    broken = ["500", "502", "503", "garbage", "half", "html", "no-choices", "error-200", "empty"]
    prompts = {"first": {"input_text": "Fine?"}}
    prompts |= {action.replace(".", ""): told(action, i) for i, action in enumerate(broken)}
    prompts |= {"last": {"input_text": "Still fine?"}}
    lines = run(chat, media, prompts)
    assert lines["first"]["status"] == lines["last"]["status"] == "ready"
    for i, action in enumerate(broken):
        line = lines[action]
        assert line["status"] == "failed" and line["error"]["code"] and line["error"]["message"], line
        tries = stand_in.attempts(f"Question {i} ")
        assert 1 <= tries <= ATTEMPTS + 4, f"{action}: tried {tries} times"
        # What breaks while the server seems to be out, as several in a row make it seem, does not count.
        if action in ("500", "502", "garbage", "half", "error-200"):
            assert tries >= ATTEMPTS, f"{action}: tried {tries} times"
    stand_in.check_requests()


def test_a_fault_that_passes_is_forgotten(chat, media, stand_in):
    actions = ["500 once", "503 once", "429 once", "429 times=2 retry-after=1", "half once", "garbage once",
               "hang once", "html once"]
    lines = run(chat, media, {f"n{i}": told(action, i) for i, action in enumerate(actions)})
    assert {name: line["status"] for name, line in lines.items()} == {f"n{i}": "ready" for i in range(len(actions))}, \
        [line for line in lines.values() if line["status"] != "ready"]
    assert [stand_in.attempts(f"Question {i} ") for i in range(len(actions))] == [2, 2, 2, 3, 2, 2, 2, 2]


def test_what_the_model_refuses_is_not_asked_again(chat, media, stand_in):
    lines = run(chat, media, {"bad": told("400", 1), "context": told("context", 2), "refusal": told("refusal", 3),
                              "fine": {"input_text": "Fine?"}})
    assert lines["fine"]["status"] == "ready"
    assert lines["bad"]["status"] == "failed" and stand_in.attempts("Question 1 ") == 1
    assert lines["context"]["error"]["code"] == "token_limit_exceeded" and stand_in.attempts("Question 2 ") == 1


def test_a_wrong_key_for_the_model_is_not_shown_to_clients(make_server, account_of, build_dir, media, tmp_path,
                                                           monkeypatch):
    monkeypatch.setenv("MODEL_KEY", "model-secret-1234567890")
    with StandIn(build_dir / "model_stand_in", tmp_path, "--key", "model-secret-1234567890") as stand_in:
        server = make_server(models=[chat_model(stand_in.url, key_env="MODEL_KEY", attempts_max=2,
                                                retry_first_wait_ms=10)])
        account = account_of(server)
        lines = run(account, media, {"fine": {"input_text": "Fine?"}, "echo": told("echo-key")})
        assert lines["fine"]["status"] == "ready"
        assert lines["echo"]["status"] == "failed"
        assert "model-secret" not in json.dumps(lines) and "model-secret" not in server.log_path.read_text()


def test_a_truncated_answer_is_ready_and_says_length(chat, media):
    lines = run(chat, media, {"cut": told("length")})
    assert (lines["cut"]["status"], lines["cut"]["data"]["finish_reason"]) == ("ready", "length")
    task = chat.client.get(f"/analyze/tasks/{lines['cut']['task_id']}").json()
    assert task["status"] == "ready" and task["error"]["message"] and task["result"]["finish_reason"] == "length"


def test_a_schema_is_answered_by_json_of_that_shape(chat, media):
    """Through the official client, with the properties in the order of their declaration."""
    from twelvelabs.types import AsyncResponseFormat, BatchItemRequest, BatchPrompt, BatchVideoContext
    schema = {"type": "object", "properties": {
        "zebra": {"type": "string"}, "apple": {"type": "integer", "minimum": 3, "maximum": 9},
        "mango": {"type": "array", "items": {"type": "string"}}, "start_time": {"type": "number"},
        "kind": {"enum": ["film", "photo"]}}, "required": ["zebra", "apple", "mango", "kind"]}
    batches = chat.sdk().analyze_async.batches
    created = batches.create(
        model_name="pegasus1.5", analysis_mode="general",
        requests=[BatchItemRequest(video=BatchVideoContext(type="asset_id", asset_id=chat.asset(media.clip)),
                                   prompt=BatchPrompt(input_text="Fill it in."),
                                   response_format=AsyncResponseFormat(type="json_schema", json_schema=schema))])
    api.wait_for_batch(chat.client, created.batch_id)
    line, = batches.results(created.batch_id)
    assert line.status == "ready", line.error
    answer = json.loads(line.data.data)
    assert [name for name in answer] == [name for name in schema["properties"] if name in answer], "declared order"
    assert set(schema["required"]) <= set(answer)
    assert isinstance(answer["zebra"], str) and 3 <= answer["apple"] <= 9 and answer["kind"] in ("film", "photo")
    task = chat.sdk().analyze_async.tasks.retrieve(created.items[0].task_id)
    assert list(task.request_params.response_format.json_schema["properties"]) == list(schema["properties"])


def test_answers_are_held_to_the_schema(chat, media, stand_in):
    schema = {"type": "json_schema", "json_schema": {
        "type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}, "required": ["b", "a"]}}
    lines = run(chat, media, {"good": {"input_text": "Fill it."}, "fence": told("fence", 1),
                              "once": told("wrong-schema once", 2), "never": told("wrong-schema", 3),
                              "prose": told("not-json", 4)}, response_format=schema)
    for name in ("good", "fence", "once"):
        assert lines[name]["status"] == "ready", lines[name]
        answer = json.loads(lines[name]["data"]["data"])
        assert list(answer) == ["b", "a"] and isinstance(answer["a"], int)
    for name in ("never", "prose"):
        assert lines[name]["error"]["code"] == "output_invalid", lines[name]
    assert stand_in.attempts("Question 3 ") <= 2 * ATTEMPTS


def test_twenty_questions_decode_the_video_once(chat, media, stand_in):
    """One decode, and one shared beginning of all requests, so that the model server can reuse it."""
    before = decodes(chat)
    lines = run(chat, media, {f"q{i}": {"input_text": f"Question {i}: what is at second {i % 6}?"} for i in range(20)})
    assert {line["status"] for line in lines.values()} == {"ready"}
    ledger = stand_in.ledger()
    assert ledger["requests"] == 20 and ledger["violations"] == 0
    assert ledger["frame_sets"] == 1 and ledger["prefix_repeated"] == 19
    assert decodes(chat) - before == 1


def decodes(account) -> int:
    import httpx
    response = httpx.get(f"{account.server.url}/stats", headers={"x-api-key": account.key.key}, trust_env=False)
    assert response.status_code == 200, response.text
    return response.json()["media"]["decodes"]


def test_segments_through_a_model(chat, media, stand_in):
    scene = {"type": "segment_definitions", "segment_definitions": [
        {"id": "shot", "description": "Every shot", "fields": [
            {"name": "title", "type": "string", "description": "A title"},
            {"name": "kind", "type": "string", "description": "Its kind", "enum": ["still", "moving"]}]},
        {"id": "quiet", "description": "Silence"}]}
    body = {"model_name": "pegasus1.5", "analysis_mode": "time_based_metadata", "defaults": {"response_format": scene},
            "requests": [{"video": api.video(chat.asset(media.clip)), "custom_id": "s"}]}
    batch = api.create_batch(chat.client, body)
    api.wait_for_batch(chat.client, batch["batch_id"])
    line, = api.results_of(chat.client, batch["batch_id"])
    assert line["status"] == "ready", line
    found = json.loads(line["data"]["data"])
    assert list(found) == ["shot", "quiet"]
    for segment in found["shot"]:
        assert set(segment["metadata"]) == {"title", "kind"} and 0 <= segment["start_time"] < segment["end_time"] <= 6.1
    stand_in.check_requests()


def test_images_of_a_prompt_reach_the_model_and_a_missing_one_fails_its_item(chat, media, stand_in):
    image = chat.asset(media.image)
    with_image = {"input_text": "Where is <@logo>?", "media_sources": [
        {"name": "logo", "media_type": "image", "asset_id": image}]}
    unreachable = {"input_text": "Where is <@logo>?", "media_sources": [
        {"name": "logo", "media_type": "image", "url": "https://127.0.0.1:9/none.png"}]}
    lines = run(chat, media, {"with": with_image, "without": {"input_text": "Where is it?"},
                              "unreachable": unreachable})
    assert lines["with"]["status"] == lines["without"]["status"] == "ready", lines
    assert lines["unreachable"]["error"]["code"] == "media_source_unavailable", lines["unreachable"]
    images = {entry["words"]: entry["images"] for entry in stand_in.ledger()["entries"]}
    assert len(set(images.values())) == 2, images


def test_a_streamed_answer_comes_in_pieces(chat, media):
    body = {"video": api.video(chat.asset(media.clip)), "prompt": told("slow-drip")["input_text"]}
    response = chat.client.post("/analyze", json=body)
    events = [json.loads(line) for line in response.text.split("\n") if line]
    fragments = [event["text"] for event in events if event["event_type"] == "text_generation"]
    assert "".join(fragments).startswith("The stand-in saw ") and len(fragments) > 1


def test_a_stream_that_breaks_is_cut_and_not_ended(chat, media):
    import httpx
    body = {"video": api.video(chat.asset(media.clip)), "prompt": told("half text=x")["input_text"]}
    with pytest.raises(httpx.RemoteProtocolError):
        chat.client.post("/analyze", json=body)


def test_items_wait_for_a_model_server_that_is_not_there(make_server, account_of, build_dir, media, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = make_server(models=[chat_model(f"http://127.0.0.1:{port}/v1", attempts_max=2, retry_first_wait_ms=10)])
    account = account_of(server)
    asset_id = account.asset(media.clip)
    requests = [{"video": api.video(asset_id), "custom_id": f"n{i}", "prompt": {"input_text": "Anybody?"}}
                for i in range(8)]
    batch = api.create_batch(account.client, api.general_batch(requests, prompt=None))
    api.wait_for(lambda: "batch work waits" in server.log(), timeout_s=30, what="the log saying so")
    started = time.monotonic()
    live = account.client.post("/analyze", json={"video": api.video(asset_id), "prompt": "Now?", "stream": False})
    assert live.status_code >= 500, live.text
    assert time.monotonic() - started < 30
    time.sleep(3)
    assert api.batch_of(account.client, batch["batch_id"])["status"] not in ("completed", "expired", "canceled")
    with StandIn(build_dir / "model_stand_in", tmp_path, "--port", str(port)):
        api.wait_for_batch(account.client, batch["batch_id"])
    lines = api.results_of(account.client, batch["batch_id"])
    assert [line["status"] for line in lines] == ["ready"] * len(requests), lines


def test_a_batch_outlives_one_of_two_model_servers(make_server, account_of, build_dir, media, tmp_path):
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    first, second = (StandIn(build_dir / "model_stand_in", folder, "--latency-ms", "100") for folder in folders)
    with first:
        with second:
            account = account_of(make_server(models=[chat_model(
                first.url, second.url, concurrency=4, attempts_max=ATTEMPTS, retry_first_wait_ms=20)]))
            requests = [{"video": api.video(account.asset(media.clip)), "custom_id": f"n{i}",
                         "prompt": {"input_text": f"Question {i}"}} for i in range(96)]
            batch = api.create_batch(account.client, api.general_batch(requests, prompt=None))
            api.wait_for(lambda: second.ledger()["requests"] >= 4, timeout_s=60, what="work on both servers")
        ended = api.wait_for_batch(account.client, batch["batch_id"])
        lines = api.results_of(account.client, batch["batch_id"])
        assert {line["status"] for line in lines} == {"ready"} and len(lines) == len(requests), ended
        assert first.ledger()["requests"] > len(requests) / 2
