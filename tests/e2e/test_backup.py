"""`sheaf backup` beside a server that works, and `sheaf fsck` on what is left of one."""

import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

import api
from sheaf_server import SheafServer

MODEL = {"name": "practice", "backend": "scripted", "answer": "answer of {custom_id}", "delay_ms": 15,
         "delay_spread_ms": 30, "concurrency": 4}
QUICK = MODEL | {"delay_ms": 1, "delay_spread_ms": 0, "concurrency": 32}


def client_of(server: SheafServer, key) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key.key}", "x-api-key": key.key},
                        trust_env=False, timeout=60)


def create_anthropic(client: httpx.Client, ids: list[str], padding: int = 0) -> str:
    requests = [{"custom_id": custom_id, "params": {"model": "practice", "max_tokens": 10, "messages": [
        {"role": "user", "content": "x" * padding + custom_id}]}} for custom_id in ids]
    answer = client.post("/v1/messages/batches", json={"requests": requests})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def upload_requests(client: httpx.Client, ids: list[str]) -> str:
    lines = [json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": "practice", "messages": [{"role": "user", "content": custom_id}]}}) for custom_id in ids]
    answer = client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a.jsonl", "\n".join(lines))})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def create_openai(client: httpx.Client, ids: list[str]) -> str:
    answer = client.post("/v1/batches", json={"input_file_id": upload_requests(client, ids),
                                              "endpoint": "/v1/chat/completions", "completion_window": "24h"})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def lines_of(client: httpx.Client, batch: str) -> dict[str, str]:
    """The lines that are there now, by custom_id."""
    answer = client.get(f"/sheaf/v1/batches/{batch}/results")
    assert answer.status_code == 200, answer.text
    return {json.loads(line)["custom_id"]: line for line in answer.text.split("\n") if line}


def wait_until_ended(client: httpx.Client, batch: str) -> dict:
    def look():
        answer = client.get(f"/sheaf/v1/batches/{batch}")
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.json()["state"] == "ended" else None
    return api.wait_for(look, timeout_s=90, what=f"the end of {batch}")


def run_on(binary: Path, command: str, data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary), command, "--data", str(data), *arguments], capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)


class Load(threading.Thread):
    """Creates, reads and deletes batches until it is told to stop."""

    def __init__(self, server: SheafServer, key) -> None:
        super().__init__()
        self.server, self.key = server, key
        self.over = threading.Event()
        self.failure: BaseException | None = None
        self.rounds = 0
        self.start()

    def run(self) -> None:
        try:
            with client_of(self.server, self.key) as client:
                while not self.over.is_set():
                    batch = create_anthropic(client, [f"load-{n}" for n in range(8)], padding=random.choice([10, 20_000]))
                    file = upload_requests(client, ["unused"])
                    wait_until_ended(client, batch)
                    assert client.delete(f"/v1/messages/batches/{batch}").status_code == 200
                    assert client.delete(f"/v1/files/{file}").status_code == 200
                    self.rounds += 1
        except BaseException as failure:  # noqa: BLE001
            self.failure = failure

    def stop(self) -> None:
        self.over.set()
        self.join()
        assert self.failure is None, self.failure


def test_a_backup_under_load_serves_all_that_was_acknowledged_before_it(make_server, tmp_path):
    server = make_server(models=[MODEL])
    key = server.create_key("team")
    with client_of(server, key) as client:
        ended = create_anthropic(client, [f"ended-{n}" for n in range(20)])
        wait_until_ended(client, ended)
        ended_file = create_openai(client, [f"line-{n}" for n in range(20)])
        wait_until_ended(client, ended_file)
        output = api.wait_for(lambda: client.get(f"/v1/batches/{ended_file}").json()["output_file_id"], what="output")
        kept = upload_requests(client, ["kept"])
        running = create_anthropic(client, [f"running-{n}" for n in range(2000)], padding=300)
        running_file = create_openai(client, [f"file-{n}" for n in range(200)])
        load = Load(server, key)
        api.wait_for(lambda: load.rounds > 1 or load.failure, what="the load")
        api.wait_for(lambda: len(lines_of(client, running)) > 20, what="some results")
        batches = [ended, ended_file, running, running_file]
        acknowledged = {batch: lines_of(client, batch) for batch in batches}
        copy = tmp_path / "copies" / "first"
        done = run_on(server.binary, "backup", server.data, "--to", str(copy))
        assert (done.returncode, done.stderr) == (0, ""), done
        assert "all is well" in done.stdout and str(copy) in done.stdout
        assert not (tmp_path / "copies" / "first.partial").exists()
        assert client.get(f"/sheaf/v1/batches/{running}").json()["state"] != "ended", "the backup came too late to tell"
        load.stop()
    server.stop()
    server.models = [QUICK]
    server.write_config()
    server.start()
    with client_of(server, key) as client:
        for batch in batches:
            wait_until_ended(client, batch)
        original = {batch: lines_of(client, batch) for batch in batches}
        original_output = client.get(f"/v1/files/{output}/content").content
        original_kept = client.get(f"/v1/files/{kept}/content").content
    again = run_on(server.binary, "backup", server.data, "--to", str(copy))
    assert again.returncode == 2 and "is there already" in again.stderr
    server.stop()

    assert run_on(server.binary, "fsck", copy).returncode == 0
    restored = make_server(models=[QUICK], settings={"data": str(copy)})
    with client_of(restored, key) as client:
        for batch, before in acknowledged.items():
            wait_until_ended(client, batch)
            lines = lines_of(client, batch)
            assert lines.keys() == original[batch].keys()
            for custom_id, line in before.items():
                assert lines[custom_id] == line, "a line never changes once it could be read"
            for custom_id, line in lines.items():
                assert f"answer of {custom_id}" in line
        assert lines_of(client, ended) == original[ended]
        assert client.get(f"/v1/files/{output}/content").content == original_output
        assert client.get(f"/v1/files/{kept}/content").content == original_kept
    restored.stop()
    assert run_on(server.binary, "fsck", copy).returncode == 0
    assert run_on(server.binary, "fsck", server.data).returncode == 0


def test_a_backup_that_is_killed_leaves_nothing_that_looks_whole(make_server, tmp_path):
    server = make_server(models=[MODEL])
    key = server.create_key("team")
    with client_of(server, key) as client:
        batches = [create_anthropic(client, [f"a-{n}" for n in range(4)], padding=500_000) for _ in range(8)]
        for batch in batches:
            wait_until_ended(client, batch)
    copy = tmp_path / "copy"
    partial = tmp_path / "copy.partial"

    def begin() -> subprocess.Popen:
        """A backup that has made its directory."""
        shutil.rmtree(partial, ignore_errors=True)
        process = subprocess.Popen([str(server.binary), "backup", "--data", str(server.data), "--to", str(copy)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        api.wait_for(lambda: (partial / "INCOMPLETE").exists() or process.poll() is not None, every_s=0.0005, what="the mark")
        return process

    process = begin()
    started = time.monotonic()
    assert process.wait(60) == 0
    took = time.monotonic() - started
    shutil.rmtree(copy)

    half_made = 0
    for turn in range(24):
        wait_s = took * (turn * 5 % 12) / 12
        process = begin()
        time.sleep(wait_s)
        process.kill()
        process.wait()
        if copy.exists():
            took = wait_s
            assert run_on(server.binary, "fsck", copy).returncode == 0, "what has its name is whole"
            shutil.rmtree(copy)
        elif partial.exists() and (partial / "INCOMPLETE").exists():
            half_made += 1
            looked = run_on(server.binary, "fsck", partial)
            assert looked.returncode == 2 and "half-made backup" in looked.stderr
            served = subprocess.run([str(server.binary), "serve", "--data", str(partial), "--listen", "127.0.0.1:0"],
                                    capture_output=True, text=True, timeout=60)
            assert served.returncode == 3 and "half-made backup" in served.stderr
        if turn >= 11 and half_made > 3:
            break
    assert half_made > 3, f"{half_made} of 24 kills came in time"

    def leave_half_made() -> bool:
        shutil.rmtree(copy, ignore_errors=True)
        process = begin()
        process.kill()
        process.wait()
        return not copy.exists() and partial.exists()

    api.wait_for(leave_half_made, what="a kill that comes in time")
    # What is left of one does not stand in the way of the next, nor of the server.
    assert run_on(server.binary, "backup", server.data, "--to", str(copy)).returncode == 0
    assert not partial.exists()
    with client_of(server, key) as client:
        assert client.delete(f"/v1/messages/batches/{batches[0]}").status_code == 200
        body = server.data / "bodies" / batches[0].removeprefix("msgbatch_")
        api.wait_for(lambda: not body.exists(), what="the bytes of a deleted batch being gone")


def test_fsck_tells_of_a_running_server_and_takes_a_killed_one_as_it_is(make_server):
    server = make_server(models=[MODEL])
    key = server.create_key("team")
    with client_of(server, key) as client:
        batch = create_anthropic(client, [f"a-{n}" for n in range(300)])
        api.wait_for(lambda: len(lines_of(client, batch)) > 50, what="some results")
    refused = run_on(server.binary, "fsck", server.data)
    assert refused.returncode == 2 and "a server runs on" in refused.stderr and refused.stdout == ""
    server.kill()
    before = {str(path): path.read_bytes() for path in server.data.rglob("*") if path.is_file()}
    looked = run_on(server.binary, "fsck", server.data)
    assert looked.returncode == 0, looked
    assert re.search(r"^1 batches, 300 items, \d+ results: all is well", looked.stdout, re.M), looked.stdout
    assert {str(path): path.read_bytes() for path in server.data.rglob("*") if path.is_file()} == before
    server.start()
    with client_of(server, key) as client:
        wait_until_ended(client, batch)
        assert len(lines_of(client, batch)) == 300


def flip(path: Path, needle: bytes) -> None:
    data = path.read_bytes()
    assert needle in data, path
    path.write_bytes(data.replace(needle, bytes([needle[0] ^ 4]) + needle[1:], 1))


@pytest.mark.parametrize("create", [create_anthropic, create_openai])
def test_a_lost_result_is_named_and_after_a_repair_says_so_itself(make_server, create):
    server = make_server(models=[MODEL | {"delay_ms": 1, "delay_spread_ms": 0}])
    key = server.create_key("team")
    with client_of(server, key) as client:
        batch = create(client, ["a-1", "a-2", "a-3"])
        wait_until_ended(client, batch)
        api.wait_for(lambda: list((server.data / "results").glob("*")), what="the results file")
        time.sleep(0.5)
        whole = lines_of(client, batch)
    server.stop()
    results, = (server.data / "results").glob("*.jsonl")
    flip(results, b"answer of a-2")
    for segment in (server.data / "log").glob("*.seg"):
        flip(segment, b"answer of a-2")
    looked = run_on(server.binary, "fsck", server.data)
    assert looked.returncode == 1, looked
    assert f'damaged: batch {batch}, item "a-2": its result is damaged' in looked.stdout, looked.stdout
    server.start()
    with client_of(server, key) as client, pytest.raises((httpx.HTTPError, AssertionError)):
        lines_of(client, batch)
    server.stop()

    mended = run_on(server.binary, "fsck", server.data, "--repair")
    assert mended.returncode == 1 and f'lost: batch {batch}, item "a-2"' in mended.stdout, mended
    assert run_on(server.binary, "fsck", server.data).returncode == 0
    server.start()
    with client_of(server, key) as client:
        lines = lines_of(client, batch)
        assert lines["a-1"] == whole["a-1"] and lines["a-3"] == whole["a-3"]
        assert "is lost" in lines["a-2"] and "answer of" not in lines["a-2"]
        seen = client.get(f"/sheaf/v1/batches/{batch}").json()
        assert (seen["counts"]["succeeded"], seen["counts"]["failed"]) == (2, 1), seen
        if create is create_openai:
            shown = client.get(f"/v1/batches/{batch}").json()
            good = client.get(f"/v1/files/{shown['output_file_id']}/content").text
            bad = client.get(f"/v1/files/{shown['error_file_id']}/content").text
            assert good.count("\n") == 2 and "a-2" not in good
            assert bad.count("\n") == 1 and "is lost" in bad


def test_a_lost_index_is_built_anew_and_all_batches_are_served_again(make_server):
    server = make_server(models=[MODEL])
    key = server.create_key("team")
    with client_of(server, key) as client:
        ended = create_anthropic(client, [f"ended-{n}" for n in range(20)])
        ended_file = create_openai(client, [f"line-{n}" for n in range(20)])
        for batch in (ended, ended_file):
            wait_until_ended(client, batch)
        output = api.wait_for(lambda: client.get(f"/v1/batches/{ended_file}").json()["output_file_id"], what="output")
        content = client.get(f"/v1/files/{output}/content").content
        running = create_anthropic(client, [f"running-{n}" for n in range(300)], padding=500)
        api.wait_for(lambda: len(lines_of(client, running)) > 50, what="some results")
        before = {batch: lines_of(client, batch) for batch in (ended, ended_file, running)}
        shown = client.get(f"/sheaf/v1/batches/{ended}").json()
    server.kill()
    for path in server.data.glob("index.db*"):
        path.unlink()
    looked = run_on(server.binary, "fsck", server.data)
    assert looked.returncode == 1 and "the index is missing" in looked.stdout, looked
    mended = run_on(server.binary, "fsck", server.data, "--repair")
    assert mended.returncode == 0, mended
    assert f"note: batch {ended}: it was built anew from its records: 20 of 20 items have ended." in mended.stdout
    assert run_on(server.binary, "fsck", server.data).returncode == 0
    key = server.create_key("team")
    server.start()
    with client_of(server, key) as client:
        assert client.get(f"/sheaf/v1/batches/{ended}").json() == shown
        assert client.get(f"/v1/files/{output}/content").content == content
        wait_until_ended(client, running)
        for batch, lines in before.items():
            now = lines_of(client, batch)
            assert all(now[custom_id] == line for custom_id, line in lines.items()), batch
        assert len(lines_of(client, running)) == 300


def test_both_commands_send_users_of_postgresql_elsewhere(binary, tmp_path):
    for command in (["fsck"], ["backup", "--to", str(tmp_path / "copy")]):
        done = subprocess.run([str(binary), *command], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "SHEAF_STORE": "postgres://sheaf@db.example/sheaf"})
        assert done.returncode == 2 and "PostgreSQL" in done.stderr, done
