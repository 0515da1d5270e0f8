"""The model server to measure with does what its flags say: the figures taken with it rest on that."""

import concurrent.futures
import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from model_server_process import ModelServer


@pytest.fixture
def start(build_dir: Path, tmp_path: Path) -> Iterator[Callable[..., ModelServer]]:
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(ModelServer(build_dir / "model_server", tmp_path, *arguments))


def chat(text: str) -> dict:
    return {"model": "stand-in", "messages": [{"role": "user", "content": text}]}


def ask(server: ModelServer, text: str, path: str = "/chat/completions", timeout_s: float = 20) -> httpx.Response:
    return httpx.post(server.url + path, json=chat(text), timeout=timeout_s, trust_env=False)


def raw(body: bytes) -> bytes:
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_each_protocol_is_answered_with_the_id_and_the_usage(start: Callable[..., ModelServer]) -> None:
    server = start()
    answer = ask(server, "say it id=item-7").json()
    assert answer["choices"][0]["message"]["content"] == "This is an answer to item-7"
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
    assert ask(server, "x id=a", "/messages").json()["content"][0]["text"] == "This is an answer to a"
    assert ask(server, "x id=a", "/responses").json()["output"][0]["content"][0]["text"] == "This is an answer to a"
    assert ask(server, "x", "/embeddings").status_code == 404


def test_requests_sent_at_once_on_one_connection_are_answered_in_order(start: Callable[..., ModelServer]) -> None:
    server = start("--slots", 4)
    bodies = [json.dumps(chat(f"id=item-{number} cost_ms={5 * (number % 3)}")).encode() for number in range(20)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        sent = b"".join(raw(body) for body in bodies)
        for at in range(0, len(sent), 700):
            connection.sendall(sent[at:at + 700])
            time.sleep(0.001)
        got = b""
        while got.count(b"answer to") < len(bodies):
            assert (part := connection.recv(65536))
            got += part
    assert [int(part.split(b'"')[0]) for part in got.split(b"answer to item-")[1:]] == list(range(20))


def test_what_exceeds_the_slots_waits_and_the_ledger_tells(start: Callable[..., ModelServer]) -> None:
    server = start("--slots", 2, "--latency-ms", 100, "--ledger", "--held")
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, server, f"id=item-{n}") for n in range(6)]
        server.wait_for(lambda stats: stats["waiting"] == 6, 20)
        server.control(held=0)
        assert {one.result(20).status_code for one in asked} == {200}
    entries = server.ledger()
    assert sorted(entry["id"] for entry in entries) == [f"item-{n}" for n in range(6)]
    for entry in entries:
        assert entry["ended_us"] - entry["started_us"] >= 100_000
        running = sum(other["started_us"] <= entry["started_us"] < other["ended_us"] for other in entries)
        assert running <= 2
    stats = server.stats()
    assert (stats["answered"], stats["running_max"], stats["waiting_max"]) == (6, 2, 6)
    assert stats["busy_slot_us"] == sum(entry["ended_us"] - entry["started_us"] for entry in entries)


def test_a_full_queue_refuses_and_control_opens_it(start: Callable[..., ModelServer]) -> None:
    server = start("--slots", 1, "--queue-max", 1, "--held")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, server, "first")
        server.wait_for(lambda stats: stats["waiting"] == 1, 20)
        refused = ask(server, "second")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        server.control(held=0)
        assert waiting.result(20).status_code == 200


def test_who_leaves_frees_the_slot(start: Callable[..., ModelServer]) -> None:
    server = start("--slots", 1, "--fault", "hang:1")
    with pytest.raises(httpx.ReadTimeout):
        ask(server, "never", timeout_s=1)
    stats = server.wait_for(lambda now: now["gone"] == 1, 20)
    assert stats["running"] == 0
    assert stats["busy_slot_us"] >= 250_000


def test_faults_come_as_often_as_asked_and_as_what_they_are(start: Callable[..., ModelServer]) -> None:
    server = start("--fault", "429:0.2", "--fault", "500:0.2", "--fault", "cut:0.2", "--fault", "reset:0.2", "--ledger")

    def outcome(number: int) -> str:
        try:
            return str(ask(server, f"id=item-{number}").status_code)
        except httpx.RemoteProtocolError:
            return "cut"
        except httpx.ReadError:
            return "reset"

    seen = Counter(outcome(number) for number in range(200))
    assert set(seen) == {"200", "429", "500", "cut", "reset"}
    assert all(20 <= count <= 60 for count in seen.values()), seen
    told = Counter(entry["status"] for entry in server.ledger())
    assert (told[200], told[429], told[-1]) == (seen["200"], seen["429"], seen["cut"] + seen["reset"])


@pytest.mark.parametrize(("names", "running", "waiting"), [
    ("vllm", "vllm:num_requests_running", "vllm:num_requests_waiting"),
    ("sglang", "sglang:num_running_reqs", "sglang:num_queue_reqs"),
    ("llamacpp", "llamacpp:requests_processing", "llamacpp:requests_deferred")])
def test_gauges_have_the_names_of_each_server(start: Callable[..., ModelServer], names: str, running: str, waiting: str) -> None:
    server = start("--metrics", names, "--slots", 1)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, server, "cost_ms=2000")]
        server.wait_for(lambda stats: stats["running"] == 1, 20)
        asked += [pool.submit(ask, server, "cost_ms=1") for _ in range(2)]
        server.wait_for(lambda stats: stats["running"] == 1 and stats["waiting"] == 2, 20)
        metrics = server.metrics()
        assert (metrics[running], metrics[waiting]) == (1, 2)
        assert all(one.result(20).status_code == 200 for one in asked)
    server.wait_for(lambda stats: stats["running"] == 0, 20)
    assert server.metrics()[running] == 0


def test_a_repeated_prefix_is_not_computed_again(start: Callable[..., ModelServer]) -> None:
    server = start("--kv-tokens", 4096, "--prefill-tokens-per-s", 2_000, "--chars-per-token", 1, "--ledger")
    prefix = "".join(f"{number:08}" for number in range(200))
    for suffix in ("first", "other"):
        assert ask(server, prefix + suffix).status_code == 200
    first, other = server.ledger()
    assert (first["prompt_tokens"], first["cached_tokens"], other["cached_tokens"]) == (1605, 0, 1600)
    assert first["ended_us"] - first["started_us"] >= 800_000 > 400_000 > other["ended_us"] - other["started_us"]
    stats = server.stats()
    assert stats["prefill_tokens"] == stats["prefill_tokens_ideal"] == 1610
    metrics = server.metrics()
    assert (metrics["vllm:prefix_cache_queries_total"], metrics["vllm:prefix_cache_hits_total"]) == (3210, 1600)


def test_the_ledger_is_written_at_the_end(build_dir: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with ModelServer(build_dir / "model_server", tmp_path, "--ledger-file", ledger) as server:
        ask(server, "id=kept")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
    assert [json.loads(line)["id"] for line in ledger.read_text().splitlines()] == ["kept"]
