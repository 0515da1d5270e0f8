"""Files, Uploads, Batches and the live endpoints through the official Python library."""

import asyncio
import hashlib
import io
import json
import time

import openai
import pytest

import api
from fault_proxy import FaultProxy

MODEL = "practice"
TERMINAL = {"completed", "failed", "expired", "cancelled"}


def line(custom_id: str, url: str = "/v1/chat/completions", **body: object) -> str:
    asked = {"/v1/chat/completions": {"messages": [{"role": "user", "content": f"Say {custom_id}."}]},
             "/v1/responses": {"input": f"Say {custom_id}."},
             "/v1/embeddings": {"input": f"Say {custom_id}."}}[url]
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": MODEL, **asked, **body}})


def upload(sdk, lines: list[str], name: str = "asked.jsonl"):
    return sdk.files.create(file=(name, ("\n".join(lines) + "\n").encode()), purpose="batch")


def create(sdk, lines: list[str], endpoint: str = "/v1/chat/completions", **extra: object):
    return sdk.batches.create(input_file_id=upload(sdk, lines).id, endpoint=endpoint, completion_window="24h", **extra)


def wait_until_over(sdk, batch_id: str):
    def probe():
        batch = sdk.batches.retrieve(batch_id)
        return batch if batch.status in TERMINAL else None

    return api.wait_for(probe, timeout_s=60, what="the batch ending")


def read(sdk, file_id: str | None) -> list[dict]:
    return [] if file_id is None else [json.loads(text) for text in sdk.files.content(file_id).text.splitlines()]


@pytest.mark.parametrize("endpoint", ["/v1/chat/completions", "/v1/responses", "/v1/embeddings"])
def test_a_batch_of_each_endpoint_is_answered(text, endpoint):
    sdk = text.openai()
    created = create(sdk, [line("a", endpoint), line("b", endpoint)], endpoint, metadata={"night": "one"})
    assert (created.status, created.object, created.endpoint) == ("validating", "batch", endpoint)
    assert created.request_counts.total == 0 and created.expires_at - created.created_at == 86400
    assert created.output_file_id is None and created.metadata == {"night": "one"}

    done = wait_until_over(sdk, created.id)
    counts = done.request_counts
    assert (done.status, counts.total, counts.completed, counts.failed) == ("completed", 2, 2, 0)
    assert done.error_file_id is None and done.errors is None and done.in_progress_at and done.completed_at
    assert done.usage.input_tokens > 0

    lines = {one["custom_id"]: one for one in read(sdk, done.output_file_id)}
    assert set(lines) == {"a", "b"}
    for one in lines.values():
        assert one["error"] is None and one["response"]["status_code"] == 200 and one["id"].startswith("batch_req_")
        assert one["response"]["body"]["object"] == {
            "/v1/chat/completions": "chat.completion", "/v1/responses": "response", "/v1/embeddings": "list"}[endpoint]
    file = sdk.files.retrieve(done.output_file_id)
    assert (file.purpose, file.status, file.filename) == ("batch_output", "processed", f"{created.id}_output.jsonl")
    assert file.expires_at - file.created_at == 30 * 86400
    assert file.bytes == len(sdk.files.content(file.id).content)


def test_a_bad_file_fails_the_batch_with_every_bad_line(text):
    sdk = text.openai()
    lines = [line("good"), "not json", json.dumps({"custom_id": "x", "method": "POST", "url": "/v1/chat/completions"}),
             line("good"), line("other", "/v1/responses"), line("streams", stream=True), line("model", model="unheard-of")]
    failed = wait_until_over(sdk, create(sdk, lines).id)
    assert failed.status == "failed" and failed.failed_at and failed.request_counts.total == 0
    assert failed.output_file_id is None and failed.error_file_id is None
    assert {(error.line, error.code) for error in failed.errors.data} >= {
        (2, "invalid_json_line"), (3, "missing_required_parameter"), (4, "duplicate_custom_id"), (5, "invalid_url"),
        (6, "streaming_unsupported"), (7, "model_not_found")}


def test_an_input_file_that_is_not_there_fails_the_batch(text):
    sdk = text.openai()
    created = sdk.batches.create(input_file_id="file-made-up", endpoint="/v1/chat/completions", completion_window="24h")
    assert created.status == "validating"
    failed = wait_until_over(sdk, created.id)
    assert (failed.status, failed.errors.data[0].code, failed.errors.data[0].line) == ("failed", "invalid_request", None)


def test_items_that_fail_are_in_the_error_file_and_the_batch_completes(text):
    server = text.make_server(models=[{"name": MODEL, "backend": "scripted", "fail_rate": 0.5, "seed": 3}])
    sdk = text.account_of(server).openai()
    ids = [f"item-{n}" for n in range(40)]
    done = wait_until_over(sdk, create(sdk, [line(custom_id) for custom_id in ids]).id)
    assert done.status == "completed" and done.request_counts.completed + done.request_counts.failed == 40
    good, bad = read(sdk, done.output_file_id), read(sdk, done.error_file_id)
    assert (len(good), len(bad)) == (done.request_counts.completed, done.request_counts.failed) and good and bad
    assert sorted(one["custom_id"] for one in good + bad) == sorted(ids)
    for one in bad:
        assert (one["response"] is None) != (one["error"] is None)


def test_a_cancelled_batch_keeps_what_it_has(slow_text):
    sdk = slow_text.openai()
    ids = [f"item-{n}" for n in range(10)]
    created = create(sdk, [line(custom_id) for custom_id in ids])
    cancelling = sdk.batches.cancel(created.id)
    assert cancelling.status in ("cancelling", "cancelled") and cancelling.cancelling_at
    done = wait_until_over(sdk, created.id)
    assert done.status == "cancelled" and done.cancelled_at
    lines = read(sdk, done.output_file_id) + read(sdk, done.error_file_id)
    assert sorted(one["custom_id"] for one in lines) == sorted(ids)
    assert any(one["error"] and one["error"]["code"] == "batch_cancelled" for one in lines)
    assert sdk.batches.cancel(created.id).status == "cancelled"


def test_what_is_over_is_not_cancelled_and_the_refusal_is_not_repeated(text):
    sdk = text.openai()
    batch = wait_until_over(sdk, create(sdk, [line("one")]).id)
    with FaultProxy(text.server.port) as proxy:
        with pytest.raises(openai.ConflictError, match="Cannot cancel"):
            text.openai(base_url=proxy.url).batches.cancel(batch.id)
        assert len(proxy.requests("POST")) == 1


def test_a_create_whose_answer_was_lost_makes_one_batch(text):
    sdk = text.openai()
    file = upload(sdk, [line("one")])
    with FaultProxy(text.server.port, faults=["lost", 503]) as proxy:
        created = text.openai(base_url=proxy.url).batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        assert len(proxy.requests("POST")) == 3
    assert [batch.id for batch in sdk.batches.list()] == [created.id]


def test_lists_are_paged_and_survive_deletes(text):
    sdk = text.openai()
    batches = [create(sdk, [line("one")]).id for _ in range(4)]
    assert [batch.id for batch in sdk.batches.list(limit=1)] == batches[::-1]
    files = [file.id for file in sdk.files.list(purpose="batch", order="asc", limit=1)]
    assert len(files) == 4
    for file in sdk.files.list(purpose="batch", limit=1):
        assert sdk.files.delete(file.id).deleted
        files.remove(file.id)
    assert files == []
    with pytest.raises(openai.NotFoundError):
        sdk.files.delete(batches[0])


def test_the_input_may_be_deleted_while_the_batch_runs(slow_text):
    sdk = slow_text.openai()
    file = upload(sdk, [line(f"item-{n}") for n in range(3)])
    created = sdk.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    sdk.files.delete(file.id)
    done = wait_until_over(sdk, created.id)
    assert (done.status, done.request_counts.completed) == ("completed", 3)


def test_files_go_up_and_come_down_unchanged(text):
    sdk = text.openai()
    content = bytes(range(256)) * 5000
    for given in (content, io.BytesIO(content), ("named \"so\" é.bin", content)):
        file = sdk.files.create(file=given, purpose="user_data",
                                expires_after={"anchor": "created_at", "seconds": 3600})
        assert (file.bytes, file.purpose, file.expires_at - file.created_at) == (len(content), "user_data", 3600)
        assert sdk.files.content(file.id).read() == content
    assert sdk.files.list(purpose="no-such-purpose").data == []
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.files.create(file=content, purpose="nonsense")
    assert (refused.value.param, refused.value.code) == ("purpose", "invalid_value")


def test_an_upload_in_parts_becomes_one_file(text):
    sdk = text.openai()
    content = ("\n".join(line(f"item-{n}") for n in range(300)) + "\n").encode()
    pieces = [content[at:at + 20_000] for at in range(0, len(content), 20_000)]
    begun = sdk.uploads.create(bytes=len(content), filename="asked.jsonl", mime_type="application/jsonl", purpose="batch")
    assert (begun.status, begun.expires_at - begun.created_at) == ("pending", 3600)
    parts = {n: sdk.uploads.parts.create(begun.id, data=piece).id for n, piece in reversed(list(enumerate(pieces)))}
    ordered = [parts[n] for n in range(len(pieces))]
    with pytest.raises(openai.BadRequestError):
        sdk.uploads.complete(begun.id, part_ids=ordered[:-1])
    done = sdk.uploads.complete(begun.id, part_ids=ordered, md5=hashlib.md5(content).hexdigest())
    assert done.status == "completed" and sdk.files.content(done.file.id).read() == content
    batch = sdk.batches.create(input_file_id=done.file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert wait_until_over(sdk, batch.id).request_counts.completed == 300
    other = sdk.uploads.create(bytes=10, filename="x", mime_type="text/plain", purpose="user_data")
    assert sdk.uploads.cancel(other.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        sdk.uploads.parts.create(other.id, data=b"late")


def test_errors_come_as_their_classes(text):
    sdk = text.openai()
    with pytest.raises(openai.AuthenticationError) as refused:
        text.openai(api_key="sk-wrong").batches.list()
    assert refused.value.code == "invalid_api_key" and refused.value.request_id.startswith("req_")
    with pytest.raises(openai.NotFoundError, match="No batch found"):
        sdk.batches.retrieve("batch_made_up")
    file = upload(sdk, [line("one")])
    for bad, param in (({"completion_window": "1h"}, "completion_window"), ({"endpoint": "/v1/unknown"}, "endpoint"),
                       ({"metadata": {"a": 1}}, "metadata.a")):
        asked = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **bad}
        with pytest.raises(openai.BadRequestError) as refused:
            sdk.batches.create(**asked)
        assert refused.value.param == param
    assert list(sdk.batches.list()) == []


def test_answers_come_live(text):
    sdk = text.openai()
    chat = sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Say hello."}])
    assert "Say hello." in chat.choices[0].message.content and chat.choices[0].finish_reason == "stop"
    response = sdk.responses.create(model=MODEL, input="Say hello.")
    assert response.status == "completed" and response.output_text == chat.choices[0].message.content
    embedded = sdk.embeddings.create(model=MODEL, input=["one", "two"])
    assert len(embedded.data) == 2 and len(embedded.data[0].embedding) > 1
    with pytest.raises(openai.NotFoundError):
        sdk.chat.completions.create(model="unheard-of", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(openai.BadRequestError):
        sdk.chat.completions.create(model=MODEL, messages=[])
    assert MODEL in [model.id for model in sdk.models.list()]


def test_answers_stream(text):
    sdk = text.openai()
    pieces = [chunk.choices[0].delta.content or "" for chunk in sdk.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Say hello."}], stream=True) if chunk.choices]
    assert len(pieces) > 2 and "Say hello." in "".join(pieces)
    with sdk.responses.stream(model=MODEL, input="Say hello.") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert final.output_text == "".join(pieces)


def test_the_asynchronous_client_does_the_same(text):
    async def life() -> int:
        async with text.openai(openai.AsyncOpenAI) as sdk:
            file = await sdk.files.create(file=("a.jsonl", (line("a") + "\n").encode()), purpose="batch")
            batch = await sdk.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
            while (batch := await sdk.batches.retrieve(batch.id)).status not in TERMINAL:
                await asyncio.sleep(0.03)
            return len((await sdk.files.content(batch.output_file_id)).text.splitlines())

    assert asyncio.run(life()) == 1


def test_a_killed_server_finishes_what_it_had(text):
    server = text.make_server(models=[{**text.server.models[0], "delay_ms": 30, "concurrency": 2}])
    account = text.account_of(server)
    batch = create(account.openai(), [line(f"item-{n}") for n in range(40)])
    time.sleep(0.2)
    server.kill()
    server.start()
    sdk = account.openai()
    done = wait_until_over(sdk, batch.id)
    assert (done.status, done.request_counts.completed) == ("completed", 40)
    assert len({one["custom_id"] for one in read(sdk, done.output_file_id)}) == 40
