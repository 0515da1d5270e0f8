"""Files, Uploads, Batches and the live endpoints through the official JavaScript library."""

import json

from fault_proxy import FaultProxy

LINE = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
                   "body": {"model": "practice", "messages": [{"role": "user", "content": "caf\u00e9 \U0001f600"}]}}) + "\n"


def run(account, scenario: str, **arguments: object):
    return account.js("openai.js", scenario, **arguments)


def test_a_batch_from_create_to_its_files(text):
    seen = run(text, "life", ids=["b", "a"])
    created, done = seen["created"], seen["done"]
    assert created["status"] == "validating" and seen["requestID"].startswith("req_")
    assert done["status"] == "completed" and done["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert sorted(line["custom_id"] for line in seen["output"]) == ["a", "b"] and seen["errors"] == []
    assert all(line["response"]["body"]["choices"][0]["message"]["content"] for line in seen["output"])
    assert (seen["late"]["name"], seen["late"]["status"]) == ("ConflictError", 409)


def test_a_cancelled_batch_has_a_line_for_every_item(slow_text):
    ids = [f"item-{n}" for n in range(8)]
    seen = run(slow_text, "cancel", ids=ids)
    assert seen["cancelling"]["status"] in ("cancelling", "cancelled") and seen["done"]["status"] == "cancelled"
    assert sorted(line["custom_id"] for line in seen["lines"]) == sorted(ids)


def test_files_go_up_in_every_framing_and_come_down_unchanged(text):
    seen = run(text, "files", line=LINE, times=2000)
    for kind, one in seen["seen"].items():
        created = one["created"]
        assert one["content"] == LINE * 2000, kind
        assert (created["filename"], created["purpose"], created["bytes"]) == ("asked.jsonl", "batch", len((LINE * 2000).encode()))
        assert created["expires_at"] - created["created_at"] == 7200
    assert seen["listed"] == seen["ids"] and seen["left"] == 0
    assert (seen["gone"]["name"], seen["gone"]["status"]) == ("NotFoundError", 404)


def test_an_upload_in_parts_becomes_one_file(text):
    seen = run(text, "upload", text=LINE * 100)
    assert seen["upload"]["status"] == "pending" and seen["done"]["status"] == "completed"
    assert seen["content"] == LINE * 100


def test_lists_are_paged_to_their_end(text):
    seen = run(text, "page", count=3)
    assert seen["listed"] == seen["ids"][::-1]


def test_errors_come_as_their_classes(text):
    seen = run(text, "errors")
    assert (seen["key"]["name"], seen["key"]["code"]) == ("AuthenticationError", "invalid_api_key")
    assert seen["key"]["requestID"].startswith("req_")
    assert seen["batch"]["name"] == "NotFoundError" and "No batch found" in seen["batch"]["message"]
    assert (seen["window"]["name"], seen["window"]["param"]) == ("BadRequestError", "completion_window")
    assert (seen["missing"]["name"], seen["missing"]["code"]) == ("BadRequestError", "missing_required_parameter")
    assert (seen["path"]["name"], seen["model"]["name"]) == ("NotFoundError", "NotFoundError")


def test_a_create_whose_answer_was_lost_makes_one_batch(text, monkeypatch):
    with FaultProxy(text.server.port, faults=["lost", 503]) as proxy:
        monkeypatch.setenv("SHEAF_TEST_FAULTY_URL", proxy.url)
        seen = run(text, "create_once")
        assert [one.headers["x-stainless-retry-count"] for one in proxy.requests("POST")] == ["0", "1", "2"]
    assert seen["listed"] == [seen["id"]]


def test_answers_come_live(text):
    seen = run(text, "live")
    content = seen["chat"]["choices"][0]["message"]["content"]
    assert "Say hello." in content and seen["streamed"] == content and seen["outputText"] == content
    assert {"response.created", "response.output_text.delta", "response.completed"} <= set(seen["kinds"])
    assert seen["dimensions"] > 1 and "practice" in seen["models"]
