"""Webhooks: signed, at least once, over restarts, and nowhere that the operator did not allow."""

import json
import re
import socket
import time
from collections.abc import Iterator

import openai
import pytest

import api
from conftest import TextAccount
from sheaf_server import SheafServer, scripted_model
from webhook_sink import WebhookSink, check_tl_signature

OPEN = {"allow_private": True, "retry_waits_s": [0.2, 0.2, 0.2, 0.2]}


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    with WebhookSink() as running:
        yield running


@pytest.fixture
def make_told(make_server, account_of):
    """A server that may reach the sink, and an account of it."""
    def make(**webhooks: object):
        return account_of(make_server(models=[scripted_model(delay_ms=5)], settings={"webhooks": OPEN | webhooks}))

    return make


def webhooks(server: SheafServer, *arguments: str):
    return server.cli("webhooks", *arguments, "--data", str(server.data))


def add(server: SheafServer, account: str, url: str, *arguments: str) -> dict:
    done = webhooks(server, "add", url, "--account", account, "--json", *arguments)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def deliveries(server: SheafServer, *arguments: str) -> list[dict]:
    done = webhooks(server, "deliveries", "--json", *arguments)
    assert done.returncode == 0, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def make_batch(account, media, *prompts: str) -> str:
    requests = [{"video": api.video(account.asset(media.clip)), "custom_id": f"c-{at}", "prompt": {"input_text": prompt}}
                for at, prompt in enumerate(prompts)]
    return api.create_batch(account.client, api.general_batch(requests, prompt=None))["batch_id"]


def wait_until_told(sink: WebhookSink, count: int, *types: str, timeout_s: float = 30) -> list:
    api.wait_for(lambda: len(sink.of_type(*types) if types else sink.received) >= count, timeout_s=timeout_s,
                 what=f"{count} deliveries")
    return sink.of_type(*types) if types else sink.received


def test_a_batch_and_its_tasks_are_told_and_signed(make_told, media, sink):
    account = make_told()
    secret = add(account.server, account.key.account, sink.url())["secret"]
    batch_id = make_batch(account, media, "one", "sheaf:fail", "three")
    wait_until_told(sink, 4)
    for received in sink.received:
        check_tl_signature(received, secret)
        assert received.headers["content-type"] == "application/json"
        assert set(received.event) == {"id", "created_at", "type", "data"} and received.event["id"].startswith("whe_")
    assert len({received.event["id"] for received in sink.received}) == 4

    batch, = sink.of_type("analyze.batch.completed")
    shown = api.batch_of(account.client, batch_id)
    assert batch.event["data"] == {name: shown[name] for name in ("status", "created_at", "total_items", "ready_items",
                                                                  "failed_items", "canceled_items")} | {"id": batch_id}
    ready = sink.of_type("analyze.task.ready")
    assert sorted(each.event["data"]["custom_id"] for each in ready) == ["c-0", "c-2"]
    failed, = sink.of_type("analyze.task.failed")
    data = failed.event["data"]
    assert data["custom_id"] == "c-1" and data["status"] == "failed" and data["error"]["message"]

    told = [{"url": sink.url(), "delivered": True, "attempts": 1}]
    api.wait_for(lambda: api.batch_of(account.client, batch_id).get("webhooks") == told, what="the batch showing it")
    api.wait_for(lambda: account.client.get(f"/analyze/tasks/{data['id']}").json().get("webhooks") == told,
                 what="the task showing it")
    assert account.client.get("/analyze/batches").json()["data"][0]["webhooks"] == told
    assert [task["webhooks"] for task in account.client.get("/analyze/tasks").json()["data"]] == [told] * 3
    assert account.sdk().analyze_async.tasks.retrieve(data["id"]).webhooks[0].delivered is True


def test_a_task_and_a_canceled_batch_are_told(make_server, account_of, media, sink):
    account = account_of(make_server(models=[scripted_model(delay_ms=300, concurrency=1)], settings={"webhooks": OPEN}))
    add(account.server, account.key.account, sink.url())
    task = account.client.post("/analyze/tasks", json={"video": api.video(account.asset(media.clip)),
                                                       "prompt": "What happens?"}).json()
    event, = wait_until_told(sink, 1)
    assert event.event["type"] == "analyze.task.ready" and event.event["data"]["id"] == task["task_id"]
    batch_id = make_batch(account, media, *(["x"] * 40))
    assert account.client.post(f"/analyze/batches/{batch_id}/cancel").status_code == 202
    canceled, = wait_until_told(sink, 1, "analyze.batch.canceled")
    assert canceled.event["data"]["id"] == batch_id and canceled.event["data"]["canceled_items"] >= 3
    assert not [each for each in sink.received if each.event["data"].get("status") == "canceled"
                and each.event["type"].startswith("analyze.task")], "canceled tasks are not told"


def test_what_is_refused_comes_again_under_the_same_id(make_told, media, sink):
    account = make_told(retry_waits_s=[0.2] * 50)
    secret = add(account.server, account.key.account, sink.url(), "--event", "analyze.batch.completed")["secret"]
    sink.status = 500
    batch_id = make_batch(account, media, "one")
    wait_until_told(sink, 2)
    shown = api.wait_for(lambda: api.batch_of(account.client, batch_id).get("webhooks"), what="the attempts showing")
    assert shown[0]["delivered"] is False and shown[0]["last_error"] == "The server answered with status 500."
    sink.status = 200
    api.wait_for(lambda: api.batch_of(account.client, batch_id)["webhooks"][0]["delivered"], what="its being taken")
    told, = api.batch_of(account.client, batch_id)["webhooks"]
    assert told == {"url": sink.url(), "delivered": True, "attempts": len(sink.received)}
    assert len({received.body for received in sink.received}) == 1, "the same event, to the byte"
    for received in sink.received:
        check_tl_signature(received, secret)


def test_what_waits_outlives_a_kill_and_a_restart(make_told, media, sink):
    account = make_told(retry_waits_s=[4])
    add(account.server, account.key.account, sink.url(), "--event", "analyze.batch.completed")
    sink.status = 503
    batch_id = make_batch(account, media, "one")
    wait_until_told(sink, 1)
    api.wait_for(lambda: api.batch_of(account.client, batch_id).get("webhooks"), what="the attempt being noted")
    account.server.kill()
    sink.status = 200
    account.server.start()
    wait_until_told(sink, 2)
    assert sink.received[0].event == sink.received[1].event
    api.wait_for(lambda: deliveries(account.server)[0]["state"] == "delivered", what="the delivery being noted")
    assert deliveries(account.server)[0]["attempts"] == 2


def test_private_addresses_are_refused_by_default(make_server, account_of, media, sink):
    account = account_of(make_server(models=[scripted_model()], settings={"webhooks": {"retry_waits_s": [0.1]}}))
    for url in (sink.url(), sink.url().replace("127.0.0.1", "localhost")):
        add(account.server, account.key.account, url, "--event", "analyze.batch.completed")
    make_batch(account, media, "one")
    api.wait_for(lambda: [each["state"] for each in deliveries(account.server)] == ["given up"] * 2,
                 what="both being given up")
    assert {each["last_error"] for each in deliveries(account.server)} == {
        "The URL leads to an address that is not allowed."}
    assert sink.received == []


def test_redirects_are_not_followed(make_told, media, sink):
    account = make_told(retry_waits_s=[])
    with WebhookSink() as other:
        sink.status, sink.headers = 307, {"location": other.url()}
        add(account.server, account.key.account, sink.url(), "--event", "analyze.batch.completed")
        make_batch(account, media, "one")
        api.wait_for(lambda: deliveries(account.server, "--undelivered") and
                     deliveries(account.server)[0]["state"] == "given up", what="its being given up")
        assert "redirects" in deliveries(account.server)[0]["last_error"]
        assert len(sink.received) == 1 and other.received == []


def test_a_target_that_never_answers_delays_nobody(make_told, media, sink):
    account = make_told()
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        dead.listen(64)
        add(account.server, account.key.account, f"http://127.0.0.1:{dead.getsockname()[1]}/")
        make_batch(account, media, *(["x"] * 30))
        add(account.server, account.key.account, sink.url(), "--event", "analyze.batch.completed")
        began = time.monotonic()
        batch_id = make_batch(account, media, "one")
        api.wait_for(lambda: [each for each in sink.received if each.event["data"]["id"] == batch_id], timeout_s=8,
                     what="the live one being told")
        assert time.monotonic() - began < 8, "an attempt that is not answered takes ten seconds"


def test_accounts_hear_of_their_own_batches_alone(make_told, account_of, media, sink):
    account = make_told()
    other = account_of(account.server)
    add(account.server, other.key.account, sink.url("/other"))
    add(account.server, account.key.account, sink.url("/mine"), "--event", "analyze.batch.completed")
    make_batch(account, media, "one")
    wait_until_told(sink, 1)
    assert {received.path for received in sink.received} == {"/mine"}


def test_the_command_line(make_told, sink):
    account = make_told()
    server, name = account.server, account.key.account
    plain = webhooks(server, "add", sink.url(), "--account", name)
    assert plain.returncode == 0 and re.fullmatch(r"[0-9a-f]{64}\n", plain.stdout), "nothing but the secret"
    made, = [json.loads(line) for line in webhooks(server, "list", "--json").stdout.splitlines()]
    assert made["account"] == name and made["url"] == sink.url() and made["enabled"] and made["events"] == []
    assert plain.stdout.strip() not in webhooks(server, "list", "--json").stdout + webhooks(server, "list").stdout

    tested = webhooks(server, "test", made["id"])
    assert tested.returncode == 0, tested
    check_tl_signature(sink.received[-1], plain.stdout.strip())
    assert sink.received[-1].event["type"] == "webhook.test"
    sink.status = 404
    refused = webhooks(server, "test", made["id"])
    assert refused.returncode == 1 and "404" in refused.stderr
    sink.status = 200

    rotated = webhooks(server, "rotate", made["id"])
    assert rotated.returncode == 0 and rotated.stdout != plain.stdout
    assert webhooks(server, "test", made["id"]).returncode == 0
    check_tl_signature(sink.received[-1], rotated.stdout.strip())
    assert [each["state"] for each in deliveries(server, made["id"])] == ["delivered", "given up", "delivered"]
    assert len(deliveries(server, made["id"], "--undelivered")) == 1
    assert sink.url() in webhooks(server, "deliveries").stdout

    assert webhooks(server, "disable", made["id"]).returncode == 0
    assert webhooks(server, "test", made["id"]).returncode == 2
    assert webhooks(server, "enable", made["id"]).returncode == 0
    assert webhooks(server, "remove", made["id"]).returncode == 0
    assert webhooks(server, "list", "--json").stdout == ""
    for command in ("test", "rotate", "enable", "disable", "remove", "deliveries"):
        assert webhooks(server, command, made["id"]).returncode == 4, command


def test_misuse_of_the_command_line_is_said(make_told):
    server = make_told().server
    cases = {("add", "not a url"): "URL", ("add", "ftp://example.com/"): "http",
             ("add", "https://example.com/", "--dialect", "anthropic"): "twelvelabs",
             ("add", "https://example.com/", "--event", "analyze.batch.finished"): "analyze.batch.completed",
             ("add", "https://example.com/", "--account", "no spaces"): "account"}
    for arguments, word in cases.items():
        done = webhooks(server, *arguments)
        assert done.returncode == 2 and word in done.stderr, (arguments, done)
    assert webhooks(server, "list", "--json").stdout == ""


def test_the_test_of_a_webhook_without_a_server_says_so(make_told, sink):
    account = make_told()
    made = add(account.server, account.key.account, sink.url())
    account.server.stop()
    done = webhooks(account.server, "test", made["id"])
    assert done.returncode == 3 and "No server" in done.stderr
    account.server.start()
    assert deliveries(account.server)[0]["state"] == "given up" and sink.received == []


@pytest.fixture
def told_text(make_server) -> TextAccount:
    server = make_server(models=[{"name": "practice", "backend": "scripted"}], settings={"webhooks": OPEN})
    return TextAccount(server, server.create_key("text"), make_server)


def test_an_openai_batch_is_told_when_its_files_are_there(told_text, sink):
    """Checked with the vendor's own library."""
    secret = add(told_text.server, "text", sink.url(), "--dialect", "openai")["secret"]
    assert secret.startswith("whsec_")
    sdk = told_text.openai()
    line = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
                       "body": {"model": "practice", "messages": [{"role": "user", "content": "x"}]}})
    uploaded = sdk.files.create(file=("asked.jsonl", (line + "\n").encode()), purpose="batch")
    batch = sdk.batches.create(input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h")
    received, = wait_until_told(sink, 1)
    event = sdk.webhooks.unwrap(received.body.decode(), received.headers, secret=secret)
    assert (event.type, event.data.id, event.object) == ("batch.completed", batch.id, "event")
    assert received.headers["webhook-id"] == event.id
    shown = sdk.batches.retrieve(batch.id)
    assert shown.status == "completed" and shown.output_file_id
    with pytest.raises(openai.InvalidWebhookSignatureError):
        sdk.webhooks.unwrap(received.body.decode() + " ", received.headers, secret=secret)

    broken = sdk.files.create(file=("asked.jsonl", b"nonsense\n"), purpose="batch")
    refused = sdk.batches.create(input_file_id=broken.id, endpoint="/v1/chat/completions", completion_window="24h")
    failed, = wait_until_told(sink, 1, "batch.failed")
    assert failed.event["data"]["id"] == refused.id
    assert len(sink.received) == 2


def test_a_sail_item_is_told_where_it_wishes(told_text, sink):
    asked = {"endpoint": "/v1/responses", "requests": [
        {"custom_id": "told", "params": {"model": "practice", "input": "x", "metadata": {
            "completion_webhook": sink.url("/hook"), "webhook_token": "t0ken"}}},
        {"custom_id": "elsewhere", "params": {"model": "practice", "input": "x", "metadata": {
            "completion_webhook": "nonsense"}}},
        {"custom_id": "silent", "params": {"model": "practice", "input": "x"}}]}
    http = told_text.http
    created = http.post("/sail/v1/batches", json=asked)
    assert created.status_code == 200, created.text
    received, = wait_until_told(sink, 1)
    assert received.path == "/hook" and received.headers["authorization"] == "Bearer t0ken"
    shown = http.get(f"/sail/v1/batches/{created.json()['id']}/told").json()
    assert received.event == shown and shown["status"] == "completed"
    assert b"t0ken" not in received.body
