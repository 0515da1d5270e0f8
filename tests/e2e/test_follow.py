"""A batch is followed: each line once and as soon as it is durable, over dropped connections, kills and restarts."""

import json
import re
import signal
import socket
import time

import httpx
import pytest

import api
from owner import Owner, lines_of
from sheaf_server import SheafServer

KILLS = 4
ITEMS = 400  # of a batch that runs on while it is followed


def model(name: str, **settings: object) -> dict:
    return {"name": name, "backend": "scripted", "answer": "answer for {custom_id}", "attempts_max": 20,
            "retry_first_wait_ms": 10, **settings}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def owner(binary, tmp_path_factory):
    server = SheafServer(binary, tmp_path_factory.mktemp("follow"),
                         models=[model("practice", delay_ms=20, concurrency=2),
                                 model("pegasus1.5", delay_ms=20, concurrency=2)]).start()
    yield Owner(server)
    assert server.stop() == 0, server.log()


@pytest.fixture
def restarted(make_server):
    """On a port that it keeps over restarts."""
    return Owner(make_server(models=[model("practice", delay_ms=30, delay_spread_ms=30, concurrency=4)],
                             port_wanted=free_port()))


@pytest.mark.parametrize("dialect", ["sail", "openai", "anthropic"])
def test_each_line_comes_once_and_any_cursor_goes_on_from_it(owner, dialect):
    batch_id = owner.create(20, dialect)
    lines = owner.follow(batch_id)
    assert sorted(lines) == sorted(owner.results(batch_id)), "the same bytes as in the results"
    assert sorted(json.loads(line)["custom_id"] for line in lines) == [f"c{n:04d}" for n in range(20)]
    for after in range(21):
        assert owner.follow(batch_id, after) == lines[after:]
    with owner.http() as client:
        path = f"/sheaf/v1/batches/{batch_id}/results"
        assert client.get(path, params={"follow": "true", "after": 21}).status_code == 400
        assert client.get(path, params={"after": 3}).status_code == 400


def test_analyses_of_videos_are_followed_too(owner, account_of, media):
    account = account_of(owner.server)
    batch = api.create_batch(account.client, api.general_batch(6, account.asset(media.clip)))
    url = f"{owner.server.url}/sheaf/v1/batches/{batch['batch_id']}/results?follow=true"
    lines = lines_of(account.client.get(url).content)
    assert sorted(lines) == sorted(lines_of(api.raw_results(account.client, batch["batch_id"])))


@pytest.fixture
def long_batch(owner):
    """One that outlasts what is done with it, and leaves the slots to the next test."""
    batch_id = owner.create(ITEMS, text="sheaf:delay 100")
    yield batch_id
    with owner.http() as client:
        assert client.post(f"/sheaf/v1/batches/{batch_id}/cancel").status_code == 200


def test_lines_come_while_the_batch_runs(owner, long_batch):
    with owner.http() as client, client.stream("GET", f"/sheaf/v1/batches/{long_batch}/results?follow=true") as answer:
        first = next(answer.iter_lines())
        seen = owner.state(long_batch)
    assert json.loads(first)["status"] == "completed"
    assert seen["state"] == "running" and seen["counts"]["succeeded"] < ITEMS


def test_what_was_canceled_comes_last(restarted):
    batch_id = restarted.create(ITEMS)
    restarted.wait_until_done(batch_id, 2)
    with restarted.http() as client:
        assert client.post(f"/sheaf/v1/batches/{batch_id}/cancel").status_code == 200
    words = [json.loads(line)["status"] for line in restarted.follow(batch_id)]
    assert len(words) == ITEMS and "cancelled" in words
    assert words == sorted(words, key=lambda word: word == "cancelled")
    assert sorted(restarted.follow(batch_id)) == sorted(restarted.results(batch_id))


def test_signs_of_life_are_empty_lines_for_those_who_ask(owner):
    batch_id = owner.create(1, text="sheaf:delay 2500")
    with owner.http() as client:
        body = client.get(f"/sheaf/v1/batches/{batch_id}/results?follow=true&heartbeat=1").content
    assert body.startswith(b"\n") and body.strip(b"\n").count(b"\n") == 0
    assert json.loads(body)["custom_id"] == "c0000"


def test_a_follower_has_every_line_once_over_kills(restarted):
    batch_id = restarted.create(ITEMS)
    lines: list[bytes] = []
    kills = 0
    deadline = time.monotonic() + 90
    while True:
        assert time.monotonic() < deadline, len(lines)
        rest = b""
        kill_at = len(lines) + 30
        is_killed = False
        try:
            with restarted.http() as client, client.stream(
                    "GET", f"/sheaf/v1/batches/{batch_id}/results",
                    params={"follow": "true", "after": len(lines)}) as answer:
                assert answer.status_code == 200, answer.read()
                for piece in answer.iter_raw():
                    *whole, rest = (rest + piece).split(b"\n")
                    lines += whole
                    if kills < KILLS and len(lines) >= kill_at and not is_killed:
                        restarted.server.process.kill()
                        is_killed = True
        except httpx.TransportError:
            # What came of a line is not counted, so it comes again.
            assert is_killed
        if not is_killed:
            assert rest == b""
            break
        kills += 1
        restarted.server.kill()
        restarted.server.start()
    assert kills == KILLS
    assert sorted(json.loads(line)["custom_id"] for line in lines) == [f"c{n:04d}" for n in range(ITEMS)]
    assert sorted(lines) == sorted(restarted.results(batch_id)), "each once, none changed"
    assert restarted.follow(batch_id) == lines, "and the order is the same for good"


def test_the_command_follows_over_a_kill_of_the_server(restarted):
    batch_id = restarted.create(ITEMS)
    process = restarted.start("results", batch_id, "--follow", "--json")
    first = [process.stdout.readline() for _ in range(20)]
    restarted.server.kill()
    time.sleep(1)
    restarted.server.start()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    lines = [line.encode() for line in ("".join(first) + out).split("\n")[:-1]]
    assert sorted(lines) == sorted(restarted.results(batch_id))
    assert re.search(r"Trying again, from line \d+ on\.", err), err
    assert err.count("Trying again") == 1, err


def test_the_command_goes_on_with_the_lines_of_its_file(restarted, tmp_path):
    batch_id = restarted.create(100)
    target = tmp_path / "results.jsonl"
    process = restarted.start("results", batch_id, "--follow", "-o", target)
    api.wait_for(lambda: target.exists() and target.read_bytes().count(b"\n") >= 10, what="ten lines")
    process.kill()
    process.communicate()
    before = target.read_bytes()
    # As after a crash in the middle of a line.
    target.write_bytes(before + b'{"id":"cut o')
    done = restarted.run("results", batch_id, "--follow", "-o", target)
    assert done.returncode == 0 and done.stdout == "", done
    after = target.read_bytes()
    assert after.startswith(before[:before.rindex(b"\n") + 1])
    assert lines_of(after) == restarted.follow(batch_id)
    again = restarted.run("results", batch_id, "--follow", "-o", target)
    assert again.returncode == 0 and target.read_bytes() == after, "nothing is left to add"


def test_a_file_of_something_else_is_not_gone_on_with(owner, tmp_path):
    batch_id = owner.create(3)
    owner.wait_until_ended(batch_id)
    target = tmp_path / "results.jsonl"
    for text in ("something else\n", "something else\n" * 50):
        target.write_text(text)
        done = owner.run("results", batch_id, "--follow", "-o", target)
        assert done.returncode == 2 and "choose another file" in done.stderr, done
        assert target.read_text() == text
    assert owner.run("results", "68f4ddaf8aaa60d33df0e800", "--follow").returncode == 4


def test_ctrl_c_stops_following_and_leaves_whole_lines(owner, long_batch, tmp_path):
    target = tmp_path / "results.jsonl"
    process = owner.start("results", long_batch, "--follow", "-o", target)
    api.wait_for(lambda: target.exists() and target.stat().st_size > 0, what="a line")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 130 and f"sheaf results {long_batch} --follow -o {target}" in err, err
    assert lines_of(target.read_bytes())
    assert owner.state(long_batch)["state"] == "running", "the batch goes on"


def test_text_is_printed_as_it_comes(owner):
    batch_id = owner.create(4)
    done = owner.run("results", batch_id, "-f")
    assert done.returncode == 0 and done.stdout.count("[ready]") == 4, done


def test_followers_do_not_hold_up_a_stop(make_server):
    owner = Owner(make_server(models=[model("practice", delay_ms=1, concurrency=1)], settings={"stop_grace_s": 20}))
    batch_id = owner.create(1, text="sheaf:overload 1000")
    with owner.http() as client, client.stream("GET", f"/sheaf/v1/batches/{batch_id}/results?follow=true") as answer:
        started = time.monotonic()
        owner.server.signal(signal.SIGTERM)
        with pytest.raises(httpx.TransportError):
            answer.read()
        assert time.monotonic() - started < 5
    assert owner.server.wait() == 0
