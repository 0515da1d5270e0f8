"""Message Batches and live Messages through both generations of the official JavaScript library."""

import pytest

from fault_proxy import FaultProxy

NEW, OLD = "@anthropic-ai/sdk", "anthropic-sdk-0"


@pytest.fixture(params=[NEW, OLD])
def library(request) -> str:
    return request.param


def run(account, scenario: str, library: str, **arguments: object):
    return account.js("anthropic.js", scenario, library=library, **arguments)


@pytest.mark.parametrize("beta", [False, True])
def test_a_batch_from_create_to_delete(text, library, beta):
    seen = run(text, "life", library, beta=beta, ids=["b", "a", "c"])
    created, ended = seen["created"], seen["ended"]
    assert created["request_counts"] == {"processing": 3, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    assert {"id", "type", "processing_status", "request_counts", "created_at", "expires_at", "ended_at",
            "cancel_initiated_at", "archived_at", "results_url"} <= set(created)
    assert seen["requestID"].startswith("req_") and seen["atOnce"]["id"] == created["id"]
    assert ended["request_counts"] == {"processing": 0, "succeeded": 3, "errored": 0, "canceled": 0, "expired": 0}
    assert ended["results_url"] == f"{text.server.url}/v1/messages/batches/{created['id']}/results"
    assert sorted(line["custom_id"] for line in seen["lines"]) == ["a", "b", "c"]
    for line in seen["lines"]:
        message = line["result"]["message"]
        assert line["result"]["type"] == "succeeded" and message["usage"]["service_tier"] == "batch"
        assert f"Say {line['custom_id']}." in message["content"][0]["text"]
    assert seen["deleted"] == {"id": created["id"], "type": "message_batch_deleted"}
    assert (seen["gone"]["name"], seen["gone"]["status"]) == ("NotFoundError", 404)


def test_results_are_not_asked_for_before_the_end(slow_text, library):
    seen = run(slow_text, "life", library, beta=False, ids=["one", "two", "three"])
    assert "in_progress" in seen["early"]["message"]


def test_a_canceled_batch_has_a_line_for_every_item(slow_text, library):
    ids = [f"item-{n}" for n in range(10)]
    seen = run(slow_text, "cancel", library, ids=ids)
    assert (seen["undeletable"]["name"], seen["undeletable"]["status"]) == ("BadRequestError", 400)
    assert seen["canceling"]["processing_status"] == "canceling" and seen["canceling"]["cancel_initiated_at"]
    assert sorted(line["custom_id"] for line in seen["lines"]) == sorted(ids)
    canceled = sum(line["result"] == {"type": "canceled"} for line in seen["lines"])
    assert canceled == seen["ended"]["request_counts"]["canceled"] > 0


def test_lists_are_paged_to_their_end(text, library):
    seen = run(text, "page", library, count=3)
    assert seen["listed"] == seen["ids"][::-1]
    assert sorted(seen["before"]) == sorted(seen["ids"][1:])


def test_errors_come_as_their_classes(text, library):
    seen = run(text, "errors", library)
    assert (seen["key"]["name"], seen["key"]["type"]) == ("AuthenticationError", "authentication_error")
    assert seen["key"]["requestID"].startswith("req_")
    assert (seen["unknown"]["name"], seen["unknown"]["type"]) == ("NotFoundError", "not_found_error")
    assert (seen["path"]["name"], seen["path"]["status"]) == ("NotFoundError", 404)
    assert seen["model"]["name"] == "NotFoundError"
    for refused in ("empty", "missing", "twice"):
        assert (seen[refused]["name"], seen[refused]["type"]) == ("BadRequestError", "invalid_request_error"), refused
    assert seen["left"] == 0


def test_a_create_whose_answer_was_lost_makes_one_batch(text, library):
    with FaultProxy(text.server.port, faults=["lost", 503]) as proxy:
        seen = run(text, "create_once", library, base_url=proxy.url, id="once")
        assert [one.headers["x-stainless-retry-count"] for one in proxy.requests("POST")] == ["0", "1", "2"]
    assert seen["listed"] == [seen["id"]]


def test_half_of_the_results_is_an_error(text, library):
    created = run(text, "create_once", library, id="item")
    with FaultProxy(text.server.port, faults=[None, "half"]) as proxy:
        assert run(text, "half", library, base_url=proxy.url, batch=created["id"]) is not None


def test_messages_are_answered_live(text, library):
    seen = run(text, "live", library)
    assert seen["whole"]["content"][0]["text"] and seen["whole"]["stop_reason"] == "end_turn"
    assert {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
            "message_stop"} <= set(seen["kinds"])
    assert seen["streamed"]["content"][0]["text"] == seen["whole"]["content"][0]["text"]
    assert seen["counted"]["input_tokens"] > 0 and "practice" in seen["models"]
