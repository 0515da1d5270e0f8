"""Message Batches and live Messages through the official Python library, whichever of its generations is installed.

The run with the older one imports no other vendor's library.
"""

import asyncio
import json
import time
from datetime import timedelta

import anthropic
import httpx
import pytest

import api
from fault_proxy import FaultProxy

MODEL = "practice"
OLDER = int(anthropic.__version__.split(".")[0]) < 2


def params(text: str = "Say it.", **extra: object) -> dict:
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **extra}


def asked(*custom_ids: str, **extra: object) -> list[dict]:
    return [{"custom_id": custom_id, "params": params(f"Say {custom_id}.", **extra)} for custom_id in custom_ids]


def wait_until_ended(batches, batch_id: str):
    def probe():
        batch = batches.retrieve(batch_id)
        return batch if batch.processing_status == "ended" else None

    return api.wait_for(probe, timeout_s=60, what="the batch ending")


@pytest.fixture(params=["stable", "beta"])
def namespace(request) -> str:
    return request.param


def batches_of(sdk, namespace: str):
    return sdk.beta.messages.batches if namespace == "beta" else sdk.messages.batches


def test_two_items_are_answered(text, namespace):
    sdk = text.anthropic()
    batches = batches_of(sdk, namespace)
    created = batches.create(requests=asked("b", "a"))
    assert (created.type, created.processing_status) == ("message_batch", "in_progress")
    assert created.id.startswith("msgbatch_") and created._request_id.startswith("req_")
    counts = created.request_counts
    assert (counts.processing, counts.succeeded, counts.errored, counts.canceled, counts.expired) == (2, 0, 0, 0, 0)
    assert created.expires_at - created.created_at == timedelta(hours=24)
    assert created.ended_at is None and created.results_url is None and created.archived_at is None

    ended = wait_until_ended(batches, created.id)
    assert (ended.request_counts.processing, ended.request_counts.succeeded) == (0, 2)
    assert ended.ended_at >= ended.created_at and ended.results_url.startswith(text.server.url)

    lines = {line.custom_id: line.result for line in batches.results(created.id)}
    assert set(lines) == {"a", "b"}
    message = lines["a"].message
    assert lines["a"].type == "succeeded" and (message.role, message.type, message.model) == ("assistant", "message", MODEL)
    assert message.content[0].type == "text" and "a" in message.content[0].text
    assert (message.stop_reason, message.usage.service_tier) == ("end_turn", "batch")
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


def test_results_of_an_unfinished_batch_are_refused_by_the_library_and_by_the_server(slow_text):
    sdk = slow_text.anthropic()
    batch = sdk.messages.batches.create(requests=asked("one", "two", "three", "four"))
    with pytest.raises(anthropic.AnthropicError, match="in_progress"):
        sdk.messages.batches.results(batch.id)
    answer = slow_text.http.get(f"/v1/messages/batches/{batch.id}/results")
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["request_id"] == answer.headers["request-id"]


def test_one_bad_item_errs_alone(text):
    sdk = text.anthropic()
    requests = asked("good") + [
        {"custom_id": "no-model", "params": {**params(), "model": "unheard-of"}},
        {"custom_id": "no-tokens", "params": {**params(), "max_tokens": 0}},
        {"custom_id": "streaming", "params": params(stream=True)},
        {"custom_id": "unknown-field", "params": params(colour="red")}]
    batch = sdk.messages.batches.create(requests=requests)
    ended = wait_until_ended(sdk.messages.batches, batch.id)
    assert (ended.request_counts.succeeded, ended.request_counts.errored) == (1, 4)
    errors = {line.custom_id: line.result.error.error.type for line in sdk.messages.batches.results(batch.id)
              if line.result.type == "errored"}
    assert errors == {"no-model": "not_found_error", "no-tokens": "invalid_request_error",
                      "streaming": "invalid_request_error", "unknown-field": "invalid_request_error"}


@pytest.mark.parametrize("ids", [["same", "same"], ["x" * 65], ["a.b"], [""], []])
def test_a_bad_custom_id_refuses_the_whole_batch(text, ids):
    sdk = text.anthropic()
    with pytest.raises(anthropic.BadRequestError) as refused:
        sdk.messages.batches.create(requests=asked(*ids))
    assert refused.value.body["error"]["type"] == "invalid_request_error"
    assert list(sdk.messages.batches.list()) == []


def test_lists_are_paged_in_both_directions(text, namespace):
    sdk = text.anthropic()
    batches = batches_of(sdk, namespace)
    ids = [batches.create(requests=asked(f"item-{n}")).id for n in range(5)]
    newest_first = ids[::-1]
    assert [batch.id for batch in batches.list(limit=2)] == newest_first
    assert [batch.id for batch in batches.list(limit=2, after_id=newest_first[1])] == newest_first[2:]
    page = batches.list(limit=2, before_id=newest_first[-1])
    assert [batch.id for batch in page.data] == newest_first[2:4] and page.has_more
    older = batches.list(limit=1, before_id=newest_first[2])
    seen = [batch.id for batch in older]
    assert sorted(seen) == sorted(newest_first[:2]), "pages go on towards the newest"
    assert [batch.id for batch in batches.list(after_id="msgbatch_made_up", before_id="other")] == []


def test_batches_may_be_deleted_while_they_are_paged(text):
    sdk = text.anthropic()
    ids = {sdk.messages.batches.create(requests=asked(f"item-{n}")).id for n in range(4)}
    for batch_id in ids:
        wait_until_ended(sdk.messages.batches, batch_id)
    gone = set()
    for batch in sdk.messages.batches.list(limit=1):
        assert sdk.messages.batches.delete(batch.id).type == "message_batch_deleted"
        gone.add(batch.id)
    assert gone == ids
    with pytest.raises(anthropic.NotFoundError):
        sdk.messages.batches.retrieve(ids.pop())


def test_a_canceled_batch_has_a_line_for_every_item(slow_text):
    sdk = slow_text.anthropic()
    batch = sdk.messages.batches.create(requests=asked(*[f"item-{n}" for n in range(12)]))
    canceling = sdk.messages.batches.cancel(batch.id)
    assert canceling.processing_status == "canceling" and canceling.request_counts.processing == 12
    assert sdk.messages.batches.cancel(batch.id).cancel_initiated_at == canceling.cancel_initiated_at
    ended = wait_until_ended(sdk.messages.batches, batch.id)
    counts = ended.request_counts
    assert counts.canceled + counts.succeeded == 12 and counts.canceled > 0
    lines = [(line.custom_id, line.result.type) for line in sdk.messages.batches.results(batch.id)]
    assert len({custom_id for custom_id, _ in lines}) == 12
    assert sum(kind == "canceled" for _, kind in lines) == counts.canceled


def test_a_running_batch_is_not_deleted_and_the_refusal_is_not_repeated(slow_text):
    batch = slow_text.anthropic().messages.batches.create(requests=asked(*[f"item-{n}" for n in range(8)]))
    with FaultProxy(slow_text.server.port) as proxy:
        sdk = slow_text.anthropic(base_url=proxy.url)
        with pytest.raises(anthropic.BadRequestError):
            sdk.messages.batches.delete(batch.id)
        assert len(proxy.requests("DELETE")) == 1
        sdk.messages.batches.cancel(batch.id)


def test_a_create_whose_answer_was_lost_makes_one_batch(text):
    with FaultProxy(text.server.port, faults=["lost", 503]) as proxy:
        sdk = text.anthropic(base_url=proxy.url)
        batch = sdk.messages.batches.create(requests=asked("once"))
        assert len(proxy.requests("POST")) == 3
        assert [b.id for b in sdk.messages.batches.list()] == [batch.id]
        # The same again, by its own will, is another batch.
        assert sdk.messages.batches.create(requests=asked("once")).id != batch.id


def test_half_of_the_results_is_an_error_and_no_short_list(text):
    sdk = text.anthropic()
    batch = sdk.messages.batches.create(requests=asked(*[f"item-{n}" for n in range(50)]))
    wait_until_ended(sdk.messages.batches, batch.id)
    with FaultProxy(text.server.port, faults=[None, "half"]) as proxy:
        with pytest.raises(Exception):
            assert len(list(text.anthropic(base_url=proxy.url).messages.batches.results(batch.id))) < 0
    assert len(list(sdk.messages.batches.results(batch.id))) == 50


def test_keys_are_asked_for(text):
    with pytest.raises(anthropic.AuthenticationError) as refused:
        text.anthropic(api_key="sk-wrong").messages.batches.list()
    assert refused.value.body["error"]["type"] == "authentication_error"
    assert refused.value.response.headers["request-id"].startswith("req_")
    for answer in (httpx.get(f"{text.server.url}/v1/messages/batches"),
                   httpx.get(f"{text.server.url}/v1/messages/nothing", headers={"x-api-key": text.key.key})):
        assert answer.status_code in (401, 404) and answer.json()["type"] == "error"


def test_the_generation_sends_its_key_and_version(text):
    with FaultProxy(text.server.port) as proxy:
        text.anthropic(base_url=proxy.url).messages.batches.list()
        headers = proxy.seen[0].headers
        if OLDER:
            assert headers["anthropic-version"] == "2023-06-01" and headers["x-api-key"] == text.key.key
        else:
            assert headers["anthropic-version"] == "2026-10-21" and headers["authorization"] == f"Bearer {text.key.key}"


def test_a_path_prefix_in_front_of_the_server_is_kept(text):
    """Behind a proxy that adds /vendor, the URL of the results must lead back through it."""
    server = text.make_server(models=text.server.models, settings={"public_url": "http://127.0.0.1:1/vendor"})
    account = text.account_of(server)
    sdk = account.anthropic()
    batch = sdk.messages.batches.create(requests=asked("one"))
    ended = wait_until_ended(sdk.messages.batches, batch.id)
    assert ended.results_url == f"http://127.0.0.1:1/vendor/v1/messages/batches/{batch.id}/results"


def test_a_message_is_answered_live(text):
    message = text.anthropic().messages.create(**params("Say hello."))
    assert message.id.startswith("msg_") and message.content[0].text
    assert message.usage.service_tier in ("standard", None) and message.stop_reason == "end_turn"


def test_a_message_streams(text):
    with text.anthropic().messages.stream(**params("Say hello.")) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1 and "".join(pieces) == final.content[0].text
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0


def test_tokens_are_counted(text):
    few = text.anthropic().messages.count_tokens(model=MODEL, messages=params("a")["messages"])
    many = text.anthropic().messages.count_tokens(model=MODEL, messages=params("a word " * 500)["messages"])
    assert 0 < few.input_tokens < many.input_tokens


def test_a_bad_message_is_refused_at_once(text):
    sdk = text.anthropic()
    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        sdk.messages.create(model=MODEL, max_tokens=-1, messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(anthropic.NotFoundError):
        sdk.messages.create(**{**params(), "model": "unheard-of"})


def test_models_are_listed(text):
    models = list(text.anthropic().models.list())
    assert MODEL in [model.id for model in models] and models[0].type == "model"
    assert text.anthropic().models.retrieve(MODEL).id == MODEL


def test_the_asynchronous_client_does_the_same(text):
    async def life() -> list[str]:
        async with text.anthropic(anthropic.AsyncAnthropic) as sdk:
            batch = await sdk.messages.batches.create(requests=asked("x", "y"))
            while (await sdk.messages.batches.retrieve(batch.id)).processing_status != "ended":
                await asyncio.sleep(0.03)
            return sorted([line.custom_id async for line in await sdk.messages.batches.results(batch.id)])

    assert asyncio.run(life()) == ["x", "y"]


def test_every_optional_parameter_is_accepted_at_create(text):
    """Validation of what is inside `params` comes later, item by item."""
    everything = params(
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "5m"}}],
        container="container", inference_geo="geo", metadata={"user_id": "someone"}, service_tier="auto",
        stop_sequences=["stop"], thinking={"type": "adaptive"}, temperature=1, top_k=5, top_p=0.7,
        output_config={"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        tools=[{"name": "look_up", "input_schema": {"type": "object"}, "strict": True, "type": "custom"}])
    batch = text.anthropic().messages.batches.create(requests=[{"custom_id": "all", "params": everything}])
    assert batch.processing_status == "in_progress"


def test_a_killed_server_finishes_what_it_had(text):
    server = text.make_server(models=[{**text.server.models[0], "delay_ms": 30, "concurrency": 2}])
    account = text.account_of(server)
    batch = account.anthropic().messages.batches.create(requests=asked(*[f"item-{n}" for n in range(40)]))
    time.sleep(0.2)
    server.kill()
    server.start()
    account = account.again()
    sdk = account.anthropic()
    wait_until_ended(sdk.messages.batches, batch.id)
    lines = list(sdk.messages.batches.results(batch.id))
    assert sorted(line.custom_id for line in lines) == sorted(f"item-{n}" for n in range(40))


def test_results_are_the_same_bytes_on_every_read(text):
    sdk = text.anthropic()
    batch = sdk.messages.batches.create(requests=asked(*[f"item-{n}" for n in range(30)]))
    wait_until_ended(sdk.messages.batches, batch.id)
    reads = {text.http.get(f"/v1/messages/batches/{batch.id}/results").content for _ in range(5)}
    time.sleep(1)  # by now they lie in a file of their own
    reads.add(text.http.get(f"/v1/messages/batches/{batch.id}/results").content)
    assert len(reads) == 1
    body = reads.pop()
    assert body.endswith(b"\n") and len([json.loads(line) for line in body.splitlines()]) == 30
