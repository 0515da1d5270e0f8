"""Batches through the official clients: create, follow, read, cancel, delete."""

import asyncio
import json
from datetime import timedelta

import pytest
from twelvelabs.errors import ConflictError, NotFoundError
from twelvelabs.types import (AsyncResponseFormat, BatchDefaults, BatchItemRequest, BatchPrompt, BatchVideoContext,
                              SegmentDefinition, SegmentField)

import api
from conftest import STRANGE_TEXT
from rechunking_proxy import RechunkingProxy


def on(asset_id: str) -> BatchVideoContext:
    return BatchVideoContext(type="asset_id", asset_id=asset_id)


def wait_until_ended(sdk, batch_id: str):
    def probe():
        batch = sdk.analyze_async.batches.retrieve(batch_id)
        return batch if batch.status in api.TERMINAL else None

    return api.wait_for(probe, timeout_s=90, what="the batch ending")


SEGMENTS = AsyncResponseFormat(
    type="segment_definitions",
    segment_definitions=[
        SegmentDefinition(id="scene", description="Every scene", fields=[
            SegmentField(name="title", type="string", description="A title"),
            SegmentField(name="mood", type="string", description="The mood", enum=["calm", "lively"]),
            SegmentField(name="people", type="integer", description="How many people"),
            SegmentField(name="indoors", type="boolean", description="Whether it is indoors"),
            SegmentField(name="words", type="array", description="Words to be seen", items={"type": "string"}),
            SegmentField(name="best_moment", type="timestamp", description="The best moment", format="hh:mm:ss"),
        ]),
        SegmentDefinition(id="silence", description="Where nothing is heard"),
    ])


def test_two_items_pair_up_and_are_answered(scripted, media):
    """One without a custom_id, one with a prompt that is not ASCII."""
    sdk = scripted.sdk()
    asset_id = scripted.asset(media.clip)
    prompt = "Was passiert hier? \u65e5\u672c\u8a9e \U0001f680"
    created = sdk.analyze_async.batches.create(
        model_name="pegasus1.5", analysis_mode="general",
        requests=[BatchItemRequest(video=on(asset_id)),
                  BatchItemRequest(video=on(asset_id), custom_id="second_1", prompt=BatchPrompt(input_text=prompt))],
        defaults=BatchDefaults(prompt=BatchPrompt(input_text="Tell me.", media_sources=None), temperature=0,
                               max_tokens=512))
    assert created.status == "pending" and created.total_items == 2
    assert [item.custom_id for item in created.items] == [None, "second_1"]
    assert created.expires_at - created.created_at == timedelta(hours=24)
    assert created.created_at.tzinfo is not None
    assert len(created.batch_id) == 24 and len({item.task_id for item in created.items}) == 2

    ended = wait_until_ended(sdk, created.batch_id)
    assert (ended.status, ended.ready_items, ended.total_items) == ("completed", 2, 2)
    assert ended.completed_at >= ended.created_at and ended.canceled_at is None and ended.expired_at is None
    assert (ended.analysis_mode, ended.model_name) == ("general", "pegasus1.5")

    lines = list(sdk.analyze_async.batches.results(created.batch_id))
    assert [line.task_id for line in lines] == [item.task_id for item in created.items]
    assert [line.custom_id for line in lines] == [None, "second_1"]
    assert lines[1].data.data == f"{STRANGE_TEXT} second_1 {prompt}"
    assert "Tell me." in lines[0].data.data
    assert all(line.data.usage.output_tokens >= 0 and line.data.finish_reason == "stop" for line in lines)

    task = sdk.analyze_async.tasks.retrieve(created.items[1].task_id)
    assert (task.status, task.custom_id, task.result.data) == ("ready", "second_1", lines[1].data.data)
    assert task.request_params.prompt_v_2.input_text == prompt and task.request_params.prompt is None
    assert (task.request_params.temperature, task.request_params.max_tokens) == (0, 512), "defaults are merged in"


def test_results_while_running_have_a_line_for_every_item(slow, media):
    sdk = slow.sdk()
    asset_id = slow.asset(media.clip)
    created = sdk.analyze_async.batches.create(
        model_name="pegasus1.5", analysis_mode="general",
        requests=[BatchItemRequest(video=on(asset_id), custom_id=f"n{i}") for i in range(5)],
        defaults=BatchDefaults(prompt=BatchPrompt(input_text="Tell me.")))
    early = list(sdk.analyze_async.batches.results(created.batch_id))
    assert [line.custom_id for line in early] == [f"n{i}" for i in range(5)]
    assert {line.status for line in early} <= {"queued", "processing"}
    assert all(line.data is None and line.error is None for line in early)
    # A part of the results is there before the rest is.
    some = api.wait_for(lambda: [line for line in sdk.analyze_async.batches.results(created.batch_id)
                                 if line.status == "ready"], what="a first result")
    assert sdk.analyze_async.batches.retrieve(created.batch_id).status == "processing" or len(some) == 5
    wait_until_ended(sdk, created.batch_id)
    assert {line.status for line in sdk.analyze_async.batches.results(created.batch_id)} == {"ready"}


@pytest.mark.parametrize("client", ["python", "async", "javascript"])
def test_hard_text_survives_one_byte_at_a_time(scripted, media, client):
    """The text of every item is exact in every client, however the network cuts the response."""
    asset_id = scripted.asset(media.clip)
    prompt = "emoji \U0001f468\u200d\U0001f469 sep \u2028\u2029 next line \u0085 \u00e9 end"
    batch = api.create_batch(scripted.client, api.general_batch(6, asset_id, prompt=prompt))
    api.wait_for_batch(scripted.client, batch["batch_id"])
    expected = [f"{STRANGE_TEXT} item-{i:04d} {prompt}" for i in range(6)]
    with RechunkingProxy(scripted.server.port) as proxy:
        if client == "python":
            sdk = scripted.sdk(proxy.base_url)
            texts = [line.data.data for line in sdk.analyze_async.batches.results(batch["batch_id"])]
        elif client == "async":
            async def collect() -> list[str]:
                sdk = scripted.async_sdk(proxy.base_url)
                return [line.data.data async for line in sdk.analyze_async.batches.results(batch["batch_id"])]

            texts = asyncio.run(collect())
        else:
            lines = scripted.js("results", base_url=proxy.base_url, batchId=batch["batch_id"])
            texts = [line["data"]["data"] for line in lines]
    assert texts == expected


def test_the_list_pages_to_its_end_newest_first(scripted, media):
    sdk = scripted.sdk()
    asset_id = scripted.asset(media.clip)
    made = []
    for _ in range(4):
        batch = api.create_batch(scripted.client, api.general_batch(1, asset_id))
        api.wait_for_batch(scripted.client, batch["batch_id"])
        made.append(batch["batch_id"])
    newest_first = made[::-1]
    both = ["completed", "processing"]

    assert [b.batch_id for b in sdk.analyze_async.batches.list(page_limit=1, status=both)] == newest_first
    assert [b.batch_id for b in sdk.analyze_async.batches.list()] == newest_first
    assert [b.batch_id for b in sdk.analyze_async.batches.list(status=["canceled", "expired"])] == []
    assert [b.batch_id for b in sdk.analyze_async.batches.list(analysis_mode="time_based_metadata")] == []
    pages = [[b.batch_id for b in page.items] for page in
             sdk.analyze_async.batches.list(page_limit=3, analysis_mode=["general"]).iter_pages()]
    assert pages == [newest_first[:3], newest_first[3:]]

    seen = scripted.js("listBatches", request={"pageLimit": 1, "status": both})
    assert [entry[0] for entry in seen] == newest_first

    async def collect() -> list[str]:
        pager = await scripted.async_sdk().analyze_async.batches.list(page_limit=1, status=both)
        return [b.batch_id async for b in pager]

    assert asyncio.run(collect()) == newest_first

    beyond = scripted.client.get("/analyze/batches", params={"page": 99, "page_limit": 3})
    assert beyond.status_code == 200 and beyond.json()["data"] == []
    assert beyond.json()["page_info"] == {"page": 99, "limit_per_page": 3, "total_page": 2, "total_results": 4}
    comma = scripted.client.get("/analyze/batches", params={"status": "completed,canceled"})
    assert comma.json()["page_info"]["total_results"] == 4


def test_javascript_batch_with_defaults_and_overrides(scripted, media):
    asset_id = scripted.asset(media.clip)
    seen = scripted.js("batch", request={
        "modelName": "pegasus1.5", "analysisMode": "general",
        "defaults": {"prompt": {"inputText": "Default?"}, "temperature": 0.5},
        "requests": [
            {"video": {"type": "asset_id", "assetId": asset_id}},
            {"video": {"type": "asset_id", "assetId": asset_id}, "customId": "own-1",
             "prompt": {"inputText": "Own \u2028 \U0001f600?"}, "maxTokens": 600, "startTime": 0, "endTime": 5},
        ]})
    created, ended = seen["created"], seen["ended"]
    assert created["status"] == "pending" and created["totalItems"] == 2
    assert [item.get("customId") for item in created["items"]] == [None, "own-1"]
    assert [line["taskId"] for line in seen["early"]] == [item["taskId"] for item in created["items"]]
    assert (ended["status"], ended["readyItems"]) == ("completed", 2)
    assert [line["status"] for line in seen["lines"]] == ["ready", "ready"]
    assert seen["lines"][0]["data"]["data"].endswith("Default?")
    assert seen["lines"][1]["data"]["data"] == f"{STRANGE_TEXT} own-1 Own \u2028 \U0001f600?"


def test_async_python_batch(scripted, media):
    async def run():
        batches = scripted.async_sdk().analyze_async.batches
        created = await batches.create(
            model_name="pegasus1.5", analysis_mode="general",
            requests=[BatchItemRequest(video=on(scripted.asset(media.clip)),
                                       prompt=BatchPrompt(input_text="Async?"))])
        while (now := await batches.retrieve(created.batch_id)).status not in api.TERMINAL:
            await asyncio.sleep(0.03)
        assert now.status == "completed"
        lines = [line async for line in batches.results(created.batch_id)]
        assert [line.status for line in lines] == ["ready"]
        with pytest.raises(ConflictError) as refused:
            await batches.cancel(created.batch_id)
        assert refused.value.body["error"]["code"] == "batch_completed"
        assert await batches.delete(created.batch_id) is None
        with pytest.raises(NotFoundError):
            await batches.retrieve(created.batch_id)
        with pytest.raises(NotFoundError):
            [line async for line in batches.results(created.batch_id)]

    asyncio.run(run())


def check_segments(text: str, duration: float, definitions: dict[str, set[str]], seconds: bool = True) -> dict:
    found = json.loads(text)
    assert list(found) == list(definitions), "keyed by definition id, every one present"
    for name, segments in found.items():
        ends = 0.0
        for segment in segments:
            assert set(segment) == {"start_time", "end_time", "metadata"}
            assert set(segment["metadata"]) == definitions[name]
            if seconds:
                assert isinstance(segment["start_time"], (int, float))
                assert ends <= segment["start_time"] < segment["end_time"] <= duration + 0.5
                ends = segment["end_time"]
    return found


def test_segments_come_back_keyed_by_definition(scene, media):
    sdk = scene.sdk()
    asset_id = scene.asset(media.clip)
    in_clock = SEGMENTS.model_copy(update={"segment_time_format": "hh:mm:ss.fff"})
    created = sdk.analyze_async.batches.create(
        model_name="pegasus1.5", analysis_mode="time_based_metadata",
        requests=[BatchItemRequest(video=on(asset_id), custom_id="seconds"),
                  BatchItemRequest(video=on(asset_id), custom_id="clock", response_format=in_clock)],
        defaults=BatchDefaults(response_format=SEGMENTS, max_tokens=2048, min_segment_duration=2))
    ended = wait_until_ended(sdk, created.batch_id)
    lines = list(sdk.analyze_async.batches.results(created.batch_id))
    assert ended.ready_items == 2, [line.error for line in lines]
    fields = {"title", "mood", "people", "indoors", "words", "best_moment"}

    found = check_segments(lines[0].data.data, 6, {"scene": fields, "silence": set()})
    assert found["scene"], "three shots are hard to miss"
    for segment in found["scene"]:
        metadata = segment["metadata"]
        assert metadata["mood"] in ("calm", "lively", None)
        assert metadata["people"] is None or isinstance(metadata["people"], int)
        assert metadata["indoors"] is None or isinstance(metadata["indoors"], bool)
        assert metadata["words"] is None or isinstance(metadata["words"], list)

    clock = check_segments(lines[1].data.data, 6, {"scene": fields, "silence": set()}, seconds=False)
    assert all(len(segment["start_time"]) == len("00:00:00.000") and segment["start_time"].startswith("00:00:0")
               for segment in clock["scene"])

    javascript = scene.js("results", batchId=created.batch_id)
    assert [line["data"]["data"] for line in javascript] == [line.data.data for line in lines]


def test_segments_within_given_ranges_only(scene, media):
    sdk = scene.sdk()
    asset_id = scene.asset(media.clip)
    ranged = AsyncResponseFormat(type="segment_definitions", segment_definitions=[
        SegmentDefinition(id="part", description="A part", time_ranges=[
            {"start_time": 0, "end_time": 2}, {"start_time": 3, "end_time": 5.5}])])
    created = sdk.analyze_async.batches.create(model_name="pegasus1.5", analysis_mode="time_based_metadata",
                                               requests=[BatchItemRequest(video=on(asset_id), response_format=ranged)])
    wait_until_ended(sdk, created.batch_id)
    line, = sdk.analyze_async.batches.results(created.batch_id)
    assert line.status == "ready", line.error
    found = check_segments(line.data.data, 6, {"part": set()})
    for segment in found["part"]:
        assert any(start - 0.01 <= segment["start_time"] and segment["end_time"] <= end + 0.01
                   for start, end in ((0, 2), (3, 5.5))), segment


def test_the_embedded_analysis_says_that_it_cannot_fill_a_schema(scene, media):
    """No language model is involved, and the item says so instead of inventing something."""
    sdk = scene.sdk()
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    created = sdk.analyze_async.batches.create(
        model_name="pegasus1.5", analysis_mode="general",
        requests=[BatchItemRequest(video=on(scene.asset(media.clip)), prompt=BatchPrompt(input_text="Fill it in."),
                                   response_format=AsyncResponseFormat(type="json_schema", json_schema=schema)),
                  BatchItemRequest(video=on(scene.asset(media.clip)), prompt=BatchPrompt(input_text="Tell me."))])
    wait_until_ended(sdk, created.batch_id)
    refused, told = sdk.analyze_async.batches.results(created.batch_id)
    assert refused.status == "failed" and refused.error.code and "model" in refused.error.message
    assert told.status == "ready" and told.data.data


def test_items_fail_alone_for_what_is_wrong_with_their_media(scene, media):
    client = scene.client
    good = scene.asset(media.clip)
    cases = {"short": (media.short_clip, "video_duration_too_short"),
             "small": (media.small_clip, "video_resolution_too_low"),
             "wide": (media.wide_clip, "video_resolution_invalid_aspect_ratio")}
    requests = [{"video": api.video(good), "custom_id": "good"}]
    requests += [{"video": api.video(scene.asset(path)), "custom_id": name} for name, (path, _) in cases.items()]
    requests += [{"video": api.video(good), "custom_id": "window", "start_time": 100, "end_time": 110}]
    batch = api.create_batch(client, api.general_batch(requests))
    ended = api.wait_for_batch(client, batch["batch_id"])
    lines = {line["custom_id"]: line for line in api.results_of(client, batch["batch_id"])}
    assert ended["status"] == "completed" and (ended["ready_items"], ended["failed_items"]) == (1, 4), lines
    assert lines["good"]["status"] == "ready"
    for name, (_, code) in cases.items():
        assert lines[name]["error"]["code"] == code, lines[name]
    assert lines["window"]["status"] == "failed" and lines["window"]["error"]["code"]


def test_an_item_on_a_deleted_asset_fails_and_the_rest_goes_on(slow, media):
    client = slow.client
    kept, doomed = slow.asset(media.clip), slow.asset(media.other_clip)
    requests = [{"video": api.video(kept), "custom_id": f"kept-{i}"} for i in range(3)]
    requests += [{"video": api.video(doomed), "custom_id": "doomed"}]
    batch = api.create_batch(client, api.general_batch(requests))
    assert client.delete(f"/assets/{doomed}", params={"force": "true"}).status_code == 204
    ended = api.wait_for_batch(client, batch["batch_id"])
    assert (ended["status"], ended["ready_items"], ended["failed_items"]) == ("completed", 3, 1)
    lines = {line["custom_id"]: line for line in api.results_of(client, batch["batch_id"])}
    assert lines["doomed"]["error"]["code"] == "asset_unavailable"


def test_cancel_lets_running_items_finish(slow, media):
    """Scenario 5, through Python."""
    sdk = slow.sdk()
    batches = sdk.analyze_async.batches
    asset_id = slow.asset(media.clip)
    created = batches.create(model_name="pegasus1.5", analysis_mode="general",
                             requests=[BatchItemRequest(video=on(asset_id)) for _ in range(8)],
                             defaults=BatchDefaults(prompt=BatchPrompt(input_text="Tell me.")))
    api.wait_for(lambda: batches.retrieve(created.batch_id).processing_items > 0, what="an item running")
    with pytest.raises(ConflictError) as early:
        batches.delete(created.batch_id)
    assert early.value.body["code"] == "batch_not_terminal"

    canceling = batches.cancel(created.batch_id)
    assert canceling.status == "canceling" and canceling.queued_items == 0
    running = canceling.processing_items
    assert running > 0 and canceling.canceled_items >= 1
    again = batches.cancel(created.batch_id)
    assert again.status == "canceling"
    with pytest.raises(ConflictError) as canceling_delete:
        batches.delete(created.batch_id)
    assert canceling_delete.value.body["code"] == "batch_not_terminal"

    ended = wait_until_ended(sdk, created.batch_id)
    assert ended.status == "canceled" and ended.canceled_at is not None and ended.completed_at is None
    assert ended.ready_items >= running and ended.ready_items + ended.canceled_items == 8
    lines = list(batches.results(created.batch_id))
    assert len(lines) == 8
    assert sum(line.status == "ready" for line in lines) == ended.ready_items
    canceled_task = next(line.task_id for line in lines if line.status == "canceled")
    assert sdk.analyze_async.tasks.retrieve(canceled_task).status == "canceled"

    with pytest.raises(ConflictError) as second:
        batches.cancel(created.batch_id)
    assert second.value.body["code"] == "batch_canceled"
    assert batches.delete(created.batch_id) is None
    for call in (batches.retrieve, batches.delete, batches.cancel, lambda id: list(batches.results(id))):
        with pytest.raises(NotFoundError):
            call(created.batch_id)
    api.check_error(slow.client.get(f"/analyze/tasks/{lines[0].task_id}"), 404, "resource_not_exist")
    assert slow.client.get(f"/assets/{asset_id}").json()["status"] == "ready", "the asset is not touched"


def test_cancel_lets_running_items_finish_in_javascript(slow, media):
    asset_id = slow.asset(media.clip)
    seen = slow.js("cancelAndDelete", request={
        "modelName": "pegasus1.5", "analysisMode": "general", "defaults": {"prompt": {"inputText": "Tell me."}},
        "requests": [{"video": {"type": "asset_id", "assetId": asset_id}} for _ in range(8)]})
    assert (seen["earlyDelete"]["name"], seen["earlyDelete"]["code"]) == ("ConflictError", "batch_not_terminal")
    assert seen["canceling"]["status"] == "canceling" and seen["again"] is None
    assert seen["ended"]["status"] == "canceled"
    assert len(seen["lines"]) == 8 and {line["status"] for line in seen["lines"]} == {"ready", "canceled"}
    assert (seen["secondCancel"]["name"], seen["secondCancel"]["code"]) == ("ConflictError", "batch_canceled")
    assert seen["deleted"] is None
    for name in ("gone", "goneResults", "goneDelete", "goneCancel"):
        assert (seen[name]["name"], seen[name]["status"]) == ("NotFoundError", 404), name


def test_canceling_a_batch_before_anything_ran(slow, media):
    client = slow.client
    asset_id = slow.asset(media.clip)
    # Both slots are taken by the first batch.
    first = api.create_batch(client, api.general_batch(6, asset_id))
    api.wait_for_batch(client, first["batch_id"], {"processing"})
    second = api.create_batch(client, api.general_batch(3, asset_id))
    answer = client.post(f"/analyze/batches/{second['batch_id']}/cancel")
    assert answer.status_code == 202 and answer.json()["status"] == "canceling"
    ended = api.wait_for_batch(client, second["batch_id"])
    assert ended["status"] == "canceled"
    assert ended["ready_items"] + ended["canceled_items"] == 3
    client.post(f"/analyze/batches/{first['batch_id']}/cancel")


def test_the_sixth_active_batch_is_refused_and_not_made(slow, media):
    """JavaScript tries three times by itself; none of its tries leaves a batch behind."""
    asset_id = slow.asset(media.clip)
    for _ in range(5):
        api.create_batch(slow.client, api.general_batch(6, asset_id))
    assert api.count_batches(slow.client) == 5
    refused = slow.client.post("/analyze/batches", json=api.general_batch(1, asset_id))
    api.check_error(refused, 429, "active_batch_limit_exceeded")

    seen = slow.js("refused", request={
        "modelName": "pegasus1.5", "analysisMode": "general",
        "requests": [{"video": {"type": "asset_id", "assetId": asset_id}, "prompt": {"inputText": "?"}}]})
    assert seen["error"]["name"] == "TooManyRequestsError" and seen["error"]["code"] == "active_batch_limit_exceeded"
    assert seen["ms"] > 2000, "the library waited and tried again"
    assert api.count_batches(slow.client) == 5

    from twelvelabs.errors import TooManyRequestsError
    with pytest.raises(TooManyRequestsError):
        slow.sdk().analyze_async.batches.create(
            model_name="pegasus1.5", analysis_mode="general",
            requests=[BatchItemRequest(video=on(asset_id), prompt=BatchPrompt(input_text="?"))])
    assert api.count_batches(slow.client) == 5
