"""Single tasks and direct calls through the official clients."""

import asyncio
import base64
import json

import pytest
from twelvelabs.errors import BadRequestError, ConflictError, NotFoundError
from twelvelabs.types import VideoContext_AssetId, VideoContext_Base64String

import api
from conftest import STRANGE_TEXT
from rechunking_proxy import RechunkingProxy


def wait_until_done(sdk, task_id: str):
    def probe():
        task = sdk.analyze_async.tasks.retrieve(task_id)
        return task if task.status in api.TERMINAL_ITEMS else None

    return api.wait_for(probe, what="the task ending")


def test_a_task_is_created_answered_listed_and_deleted(scripted, media):
    sdk = scripted.sdk()
    tasks = sdk.analyze_async.tasks
    asset_id = scripted.asset(media.clip)
    prompt = "Tell me \u2028 about it \U0001f600" + "!" * 40
    created = tasks.create(model_name="pegasus1.5", video=VideoContext_AssetId(asset_id=asset_id), prompt=prompt,
                           custom_id="single-1", temperature=0.4)
    assert created.status in ("queued", "pending") and len(created.task_id) == 24
    task = wait_until_done(sdk, created.task_id)
    assert task.status == "ready" and task.custom_id == "single-1"
    assert task.result.data == f"{STRANGE_TEXT} single-1 {prompt}"
    assert task.result.finish_reason == "stop" and task.result.usage.output_tokens >= 0
    assert task.completed_at >= task.created_at
    assert (task.video_source.type, task.video_source.asset_id) == ("asset_id", asset_id)
    assert task.request_params.prompt == prompt and task.request_params.prompt_v_2 is None
    assert task.request_params.temperature == 0.4

    again = tasks.create(video=VideoContext_AssetId(asset_id=asset_id), prompt="Same id.", custom_id="single-1")
    wait_until_done(sdk, again.task_id)
    listed = tasks.list(page_limit=50)
    assert [entry.task_id for entry in listed.data] == [again.task_id, created.task_id], "newest first"
    assert listed.data[1].request_params.prompt == prompt[:30], "cut after 30 characters, not bytes"
    assert [entry.task_id for entry in tasks.list(asset_id=asset_id, status="ready").data] == \
        [again.task_id, created.task_id]
    assert tasks.list(status="failed").data == [] and tasks.list(page=99).data == []

    assert tasks.delete(created.task_id) is None
    with pytest.raises(NotFoundError):
        tasks.retrieve(created.task_id)
    with pytest.raises(NotFoundError):
        tasks.delete(created.task_id)


def test_batch_items_are_tasks_that_live_and_die_with_their_batch(slow, media):
    sdk = slow.sdk()
    asset_id = slow.asset(media.clip)
    batch = api.create_batch(slow.client, api.general_batch(2, asset_id))
    first = batch["items"][0]["task_id"]
    assert {entry.task_id for entry in sdk.analyze_async.tasks.list().data} == \
        {item["task_id"] for item in batch["items"]}
    with pytest.raises(ConflictError) as refused:
        sdk.analyze_async.tasks.delete(first)
    assert refused.value.body["code"] == "task_cannot_be_deleted"
    api.wait_for_batch(slow.client, batch["batch_id"])
    assert sdk.analyze_async.tasks.retrieve(first).status == "ready"
    sdk.analyze_async.batches.delete(batch["batch_id"])
    assert sdk.analyze_async.tasks.list().data == []


def test_a_task_on_a_video_in_the_request_itself(scripted, media):
    sdk = scripted.sdk()
    encoded = base64.b64encode(media.clip.read_bytes()).decode()
    created = sdk.analyze_async.tasks.create(model_name="pegasus1.5", prompt="What is it?",
                                             video=VideoContext_Base64String(base_64_string=encoded))
    task = wait_until_done(sdk, created.task_id)
    assert task.status == "ready", task.error
    assert task.video_source.type == "base64_string"
    shown = scripted.client.get(f"/analyze/tasks/{created.task_id}").text
    assert encoded[:200] not in shown, "the bytes are never echoed"


def test_a_task_of_segments(scene, media):
    sdk = scene.sdk()
    created = sdk.analyze_async.tasks.create(
        model_name="pegasus1.5", video=VideoContext_AssetId(asset_id=scene.asset(media.clip)),
        analysis_mode="time_based_metadata",
        response_format={"type": "segment_definitions", "segment_definitions": [
            {"id": "shot", "description": "Every shot",
             "fields": [{"name": "text", "type": "string", "description": "Text to be read"}]}]})
    task = wait_until_done(sdk, created.task_id)
    assert task.status == "ready", task.error
    shots = json.loads(task.result.data)["shot"]
    assert shots and all(set(shot["metadata"]) == {"text"} for shot in shots)


def test_javascript_task(scripted, media):
    asset_id = scripted.asset(media.clip)
    seen = scripted.js("task", request={"modelName": "pegasus1.5", "customId": "js_1",
                                        "video": {"type": "asset_id", "assetId": asset_id},
                                        "promptV2": {"inputText": "Structured \u0085?"}})
    assert seen["task"]["status"] == "ready" and seen["task"]["customId"] == "js_1"
    assert seen["task"]["result"]["data"] == f"{STRANGE_TEXT} js_1 Structured \u0085?"
    assert seen["task"]["requestParams"]["promptV2"]["inputText"] == "Structured \u0085?"
    assert "prompt" not in seen["task"]["requestParams"]
    assert [task["taskId"] for task in seen["listed"]["data"]] == [seen["created"]["taskId"]]
    assert seen["beyond"]["data"] == [] and seen["deleted"] is None
    assert seen["gone"]["name"] == "NotFoundError"


def test_a_direct_call_answers_in_one_document(scripted, media):
    asset_id = scripted.asset(media.clip)
    answer = scripted.sdk().analyze(video=VideoContext_AssetId(asset_id=asset_id), prompt="Now \U0001f600?",
                                    model_name="pegasus1.5")
    assert answer.data.startswith(STRANGE_TEXT) and answer.data.endswith("Now \U0001f600?")
    assert answer.finish_reason == "stop" and answer.usage.output_tokens >= 0 and answer.id
    javascript = scripted.js("analyze", request={"video": {"type": "asset_id", "assetId": asset_id},
                                                 "prompt": "Now \U0001f600?"})
    assert javascript["data"] == answer.data and javascript["finishReason"] == "stop"


@pytest.mark.parametrize("client", ["python", "async", "javascript"])
def test_a_streamed_answer_is_exact_one_byte_at_a_time(scripted, media, client):
    asset_id = scripted.asset(media.clip)
    prompt = "Stream \u2028\u0085 \U0001f468\u200d\U0001f469?"
    with RechunkingProxy(scripted.server.port) as proxy:
        if client == "python":
            events = [event.model_dump() for event in scripted.sdk(proxy.base_url).analyze_stream(
                video=VideoContext_AssetId(asset_id=asset_id), prompt=prompt)]
        elif client == "async":
            async def collect() -> list[dict]:
                sdk = scripted.async_sdk(proxy.base_url)
                return [event.model_dump() async for event in sdk.analyze_stream(
                    video=VideoContext_AssetId(asset_id=asset_id), prompt=prompt)]

            events = asyncio.run(collect())
        else:
            events = [{"event_type": event["eventType"], **event} for event in scripted.js(
                "analyzeStream", base_url=proxy.base_url,
                request={"video": {"type": "asset_id", "assetId": asset_id}, "prompt": prompt})]
    kinds = [event["event_type"] for event in events]
    assert kinds[0] == "stream_start" and kinds[-1] == "stream_end"
    assert set(kinds[1:-1]) == {"text_generation"}
    text = "".join(event["text"] for event in events[1:-1])
    assert text.startswith(STRANGE_TEXT) and text.endswith(prompt)
    assert "\ufffd" not in text


def test_streaming_is_the_default_and_ends_every_line(scripted, media):
    asset_id = scripted.asset(media.clip)
    body = {"model_name": "pegasus1.5", "video": api.video(asset_id), "prompt": "Default?"}
    response = scripted.client.post("/analyze", json=body)
    assert response.status_code == 200 and response.headers["content-type"].startswith("application/x-ndjson")
    assert response.content.isascii() and response.content.endswith(b"\n")
    events = [json.loads(line) for line in response.content.split(b"\n") if line]
    assert [events[0]["event_type"], events[-1]["event_type"]] == ["stream_start", "stream_end"]
    assert events[0]["metadata"]["generation_id"] == events[-1]["metadata"]["generation_id"]
    assert events[-1]["finish_reason"] == "stop" and events[-1]["metadata"]["usage"]["output_tokens"] >= 0


def test_direct_calls_refuse_before_they_stream(scripted, media):
    sdk = scripted.sdk()
    for call in (sdk.analyze, lambda **arguments: list(sdk.analyze_stream(**arguments))):
        with pytest.raises(NotFoundError) as missing:
            call(video=VideoContext_AssetId(asset_id=api.NO_SUCH_ID), prompt="What?")
        assert missing.value.body["code"] == "resource_not_exist"
        with pytest.raises(BadRequestError):
            call(video=VideoContext_AssetId(asset_id=scripted.asset(media.clip)), prompt="What?", max_tokens=1)
    with pytest.raises(BadRequestError):
        sdk.analyze(video=VideoContext_AssetId(asset_id=scripted.asset(media.clip)))


def test_a_client_that_leaves_a_direct_call_stops_it(slow, media):
    """A slot is free again at once, not when the abandoned answer would have been ready."""
    import httpx
    asset_id = slow.asset(media.clip)
    body = {"video": api.video(asset_id), "prompt": "Gone.", "stream": True}
    for _ in range(10):
        with pytest.raises(httpx.ReadTimeout):
            with slow.client.stream("POST", "/analyze", json=body, timeout=0.3) as response:
                response.read()
    answer = slow.client.post("/analyze", json={**body, "stream": False}, timeout=30)
    assert answer.status_code == 200 and answer.elapsed.total_seconds() < 6
