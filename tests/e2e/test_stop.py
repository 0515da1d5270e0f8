"""SIGTERM: what runs may finish, what waits goes on after the next start."""

import signal
import subprocess
import time

import api
from raw_http import RawConnection, request_bytes
from sheaf_server import scripted_model


def test_running_items_finish_within_the_grace(make_server, account_of, media):
    server = make_server(models=[scripted_model(answer="attempt {attempt}", delay_ms=1500, concurrency=2)],
                         settings={"stop_grace_s": 15})
    account = account_of(server)
    batch = api.create_batch(account.client, api.general_batch(6, account.asset(media.clip)))
    api.wait_for(lambda: api.batch_of(account.client, batch["batch_id"])["processing_items"] == 2, what="two running")
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0
    server.start()
    with server.client(account.key) as client:
        ended = api.wait_for_batch(client, batch["batch_id"])
        assert (ended["status"], ended["ready_items"]) == ("completed", 6)
        lines = api.results_of(client, batch["batch_id"])
        assert [line["data"]["data"] for line in lines] == ["attempt 1"] * 6, "nothing was run twice"


def test_the_grace_ends(make_server, account_of, media):
    server = make_server(models=[scripted_model(answer="attempt {attempt}", delay_ms=30_000, concurrency=2)],
                         settings={"stop_grace_s": 1})
    account = account_of(server)
    batch = api.create_batch(account.client, api.general_batch(2, account.asset(media.clip)))
    api.wait_for(lambda: api.batch_of(account.client, batch["batch_id"])["processing_items"] == 2, what="two running")
    before = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.wait(25) == 0
    assert 0.9 < time.monotonic() - before < 20
    server.models = [scripted_model(answer="later", delay_ms=10)]
    server.write_config()
    server.start()
    with server.client(account.key) as client:
        seen = api.batch_of(client, batch["batch_id"])
        assert seen["queued_items"] == 0, "processing does not become queued again"
        ended = api.wait_for_batch(client, batch["batch_id"])
        assert (ended["status"], ended["ready_items"]) == ("completed", 2)


def test_an_interrupt_from_the_keyboard_is_a_stop_too(make_server):
    server = make_server(models=[scripted_model()])
    server.signal(signal.SIGINT)
    assert server.wait(10) == 0


def test_a_request_under_way_is_answered(make_server, account_of, media):
    server = make_server(models=[scripted_model(answer="late but there", delay_ms=1500)],
                         settings={"stop_grace_s": 10})
    account = account_of(server)
    import json
    body = json.dumps({"video": api.video(account.asset(media.clip)), "prompt": "x", "stream": False}).encode()
    with RawConnection(server.port) as connection, RawConnection(server.port) as idle:
        connection.send(request_bytes("POST", "/v1.3/analyze", {"x-api-key": account.key.key,
                                                                "Content-Type": "application/json"}, body))
        time.sleep(0.5)
        assert account.client.get("/assets").status_code == 200, "it has read what came before"
        server.signal(signal.SIGTERM)
        assert idle.closed_by_peer()
        response = connection.read_response()
        assert response is not None and response.status == 200 and b"late but there" in response.body
    assert server.wait(10) == 0


def test_one_data_directory_has_one_server(make_server):
    server = make_server(models=[scripted_model()])
    second = subprocess.run([str(server.binary), "serve", "--data", str(server.data), "--listen", "127.0.0.1:0",
                             "--config", str(server.config_path)], capture_output=True, text=True, timeout=60)
    assert second.returncode == 3, second.stderr
    assert second.stderr.strip() and "Sanitizer" not in second.stderr


def test_all_is_there_after_a_restart(make_server, account_of, media):
    server = make_server(models=[scripted_model(answer="{custom_id}", delay_ms=1)])
    account = account_of(server)
    client = account.client
    asset_id = account.asset(media.clip)
    batch = api.create_batch(client, api.general_batch(30, asset_id))
    api.wait_for_batch(client, batch["batch_id"])
    task = client.post("/analyze/tasks", json={"video": api.video(asset_id), "prompt": "x"}).json()
    api.wait_for(lambda: client.get(f"/analyze/tasks/{task['task_id']}").json()["status"] == "ready", what="the task")
    session = client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                             "total_size": 10_000_000}).json()
    paths = [f"/analyze/batches/{batch['batch_id']}", f"/analyze/batches/{batch['batch_id']}/results",
             f"/analyze/tasks/{task['task_id']}", "/analyze/tasks?page_limit=50", "/analyze/batches", "/assets",
             f"/assets/{asset_id}", f"/assets/multipart-uploads/{session['upload_id']}"]
    before = {path: client.get(path).content for path in paths}
    assert server.stop() == 0
    server.start()
    with server.client(account.key) as client:
        assert {path: client.get(path).content for path in paths} == before
