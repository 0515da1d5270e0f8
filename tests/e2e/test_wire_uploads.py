"""Uploads byte by byte: odd framing, lies about length, clients that vanish, URLs that expired."""

import json
import re
import time

import httpx
import pytest

import api
from raw_http import RawConnection, chunked, request_bytes
from sheaf_server import scripted_model

BOUNDARY = "----formdata-x-0123456789"


def multipart(parts: list[tuple[str, bytes, str | None]], *, epilogue: bytes = b"", close: bool = True) -> bytes:
    """Parts are (disposition parameters, content, content type)."""
    body = b""
    for disposition, content, kind in parts:
        body += f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n".encode()
        if kind:
            body += f"Content-Type: {kind}\r\n".encode()
        body += b"\r\n" + content + b"\r\n"
    return body + (f"--{BOUNDARY}--\r\n".encode() if close else b"") + epilogue


def file_part(content: bytes, name: str = "clip.mp4", kind: str | None = "application/octet-stream"):
    return (f'name="file"; filename="{name}"', content, kind)


METHOD = ('name="method"', b"direct", None)


def headers_of(account, **extra: str) -> dict[str, str]:
    return {"x-api-key": account.key.key, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **extra}


def post_form(account, body: bytes) -> httpx.Response:
    return account.client.post("/assets", content=body,
                               headers={"content-type": f"multipart/form-data; boundary={BOUNDARY}"})


@pytest.fixture(scope="module")
def tight_server(binary, tmp_path_factory):
    """Small limits, so that going over them is cheap."""
    from conftest import shared
    yield from shared(binary, tmp_path_factory.mktemp("tight"), models=[scripted_model(delay_ms=5)], limits={
        "direct_media_bytes_max": 200_000, "image_bytes_max": 50_000, "json_body_bytes_max": 20_000,
        "multipart_media_bytes_max": 30_000_000, "presigned_time_s": 4})


@pytest.fixture
def tight(tight_server, account_of):
    return account_of(tight_server)


@pytest.fixture
def hasty(make_server, account_of):
    """An upload has few seconds."""
    return account_of(make_server(models=[scripted_model()], limits={"upload_time_s": 4}))


def leftovers(account) -> dict[str, int]:
    """What the data directory holds beside the index, whose own files come and go."""
    files = api.files_below(account.server.data)
    return {name: size for name, size in files.items() if not re.search(r"\.(db|sqlite3?)(-wal|-shm|-journal)?$", name)}


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_form_in_chunks_of_any_size_with_fields_behind_the_file(scripted, media, piece):
    """As the JavaScript client sends it, with the file before its fields, an epilogue, and chunks at their worst."""
    clip = media.clip.read_bytes()
    body = multipart([file_part(clip), METHOD, ('name="filename"', "gew\u00e4hlt.mp4".encode(), None),
                      ('name="user_metadata"', b'{"a":1}', None)], epilogue=b"\r\n")
    with RawConnection(scripted.server.port) as connection:
        connection.send(request_bytes("POST", "/v1.3/assets", headers_of(scripted, **{"Transfer-Encoding": "chunked"}),
                                      length=False))
        connection.send(chunked(body, piece))
        response = connection.read_response()
        assert response.status == 201, response.body
        asset = json.loads(response.body)
        connection.send(request_bytes("GET", f"/v1.3/assets/{asset['_id']}", headers_of(scripted)))
        assert connection.read_response().status == 200, "the connection can be used again"
    ready = api.settled_asset(scripted.client, asset["_id"])
    assert (ready["status"], ready["size"], ready["filename"]) == ("ready", len(clip), "gew\u00e4hlt.mp4")
    assert ready["user_metadata"] == {"a": 1}


def test_a_form_sent_one_byte_a_segment(scripted, media):
    body = multipart([METHOD, file_part(media.image.read_bytes(), "i.png")])
    with RawConnection(scripted.server.port) as connection:
        connection.send_slowly(request_bytes("POST", "/v1.3/assets", headers_of(scripted), body))
        response = connection.read_response()
    assert response.status == 201
    assert api.settled_asset(scripted.client, json.loads(response.body)["_id"])["file_type"] == "image/png"


def test_content_that_looks_like_a_boundary_is_content(scripted, media):
    """The file holds everything but the exact delimiter, over and over."""
    near = (f"\r\n--{BOUNDARY}"[:-1] + "X\r\n--\r\r\n\n").encode() * 3000
    response = post_form(scripted, multipart([METHOD, file_part(media.clip.read_bytes() + near)]))
    assert response.status_code == 201, response.text
    asset = api.settled_asset(scripted.client, response.json()["_id"])
    assert asset["size"] == media.clip.stat().st_size + len(near)


def test_forms_that_make_no_sense_are_refused_and_leave_nothing(scripted, media):
    clip = media.clip.read_bytes()
    before = leftovers(scripted)
    cases = {
        "no method": multipart([file_part(clip)]),
        "unknown method": multipart([('name="method"', b"ftp", None), file_part(clip)]),
        "no file": multipart([METHOD]),
        "no url": multipart([('name="method"', b"url", None)]),
        "metadata that is no JSON": multipart([METHOD, file_part(clip), ('name="user_metadata"', b"{a", None)]),
        "metadata that is no object": multipart([METHOD, file_part(clip), ('name="user_metadata"', b"[1]", None)]),
        "metadata with an object inside": multipart([METHOD, file_part(clip),
                                                     ('name="user_metadata"', b'{"a":{"b":1}}', None)]),
        "a flag that is neither": multipart([METHOD, file_part(clip), ('name="enable_hls"', b"maybe", None)]),
        "never closed": multipart([METHOD, file_part(clip)], close=False),
        "no boundary at all": b"hello",
        "nothing": b"",
        "a huge field": multipart([METHOD, ('name="filename"', b"x" * 5_000_000, None), file_part(clip)]),
        "10000 fields": multipart([METHOD] + [(f'name="f{i}"', b"", None) for i in range(10_000)]),
        "a part head without end": f"--{BOUNDARY}\r\n".encode() + b"X-A: b\r\n" * 20_000,
        "an empty file": multipart([METHOD, file_part(b"")]),
    }
    for name, body in cases.items():
        response = post_form(scripted, body)
        try:
            api.check_error(response, 400)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    api.check_error(scripted.client.post("/assets", json={"method": "direct"}), 400, "content_type_invalid")
    api.check_error(scripted.client.post("/assets", content=b"x", headers={"content-type": "multipart/form-data"}), 400)
    assert scripted.client.get("/assets").json()["data"] == []
    assert leftovers(scripted) == before


def test_a_file_name_is_only_a_name(scripted, media):
    """No name reaches the file system."""
    image = media.image.read_bytes()
    before = set(leftovers(scripted))
    for name in ("../../../../tmp/sheaf-escaped", "/etc/passwd", "a\\..\\b", "x" * 3000, "con\u0000x"):
        response = post_form(scripted, multipart([METHOD, ('name="file"; filename="a.png"', image, None),
                                                  ('name="filename"', name.encode(), None)]))
        assert response.status_code in (201, 400), response.text
    new = set(leftovers(scripted)) - before
    assert not any("escaped" in path or "passwd" in path or len(path) > 300 for path in new)


def test_over_the_limit_is_said_after_the_body_was_taken(tight, media):
    """Clients see the status, not a broken connection."""
    big = media.clip.read_bytes() + b"\0" * 300_000
    api.check_error(post_form(tight, multipart([METHOD, file_part(big)])), 400, "video_filesize_too_large")
    image = media.image.read_bytes() + b"\0" * 60_000
    response = post_form(tight, multipart([METHOD, file_part(image, "i.png")]))
    if response.status_code == 201:
        assert api.settled_asset(tight.client, response.json()["_id"])["status"] == "failed"
    else:
        api.check_error(response, 400, "video_filesize_too_large")
    seen = tight.js("errors", assetId=api.NO_SUCH_ID, calls=["assetRetrieve"])
    assert seen["assetRetrieve"]["status"] == 404, "the server goes on"


def test_a_json_body_over_the_limit_is_413(tight):
    body = json.dumps(api.general_batch([], prompt="x" * 30_000)).encode()
    response = tight.client.post("/analyze/batches", content=body, headers={"content-type": "application/json"})
    api.check_error(response, 413, "payload_too_large")

    def pieces():
        yield body

    streamed = tight.client.post("/analyze/batches", content=pieces(), headers={"content-type": "application/json"})
    api.check_error(streamed, 413, "payload_too_large")


def test_truncated_bodies_create_nothing(scripted, media):
    clip = media.clip.read_bytes()
    before = leftovers(scripted)
    form = multipart([METHOD, file_part(clip)])
    whole = request_bytes("POST", "/v1.3/assets", headers_of(scripted), form)
    for sent in (len(whole) - 1, len(whole) // 2, len(whole) - len(form) + 1, 20):
        with RawConnection(scripted.server.port) as connection:
            connection.send(whole[:sent])
            connection.half_close()
            response = connection.read_response()
            assert response is None or response.status >= 400
    batch = json.dumps(api.general_batch(1, scripted.asset(media.clip))).encode()
    whole = request_bytes("POST", "/v1.3/analyze/batches", {"x-api-key": scripted.key.key,
                                                           "Content-Type": "application/json"}, batch)
    with RawConnection(scripted.server.port) as connection:
        connection.send(whole[:-1])
        connection.half_close()
        response = connection.read_response()
        assert response is None or response.status >= 400
    assert api.count_batches(scripted.client) == 0
    assert len(scripted.client.get("/assets").json()["data"]) == 1
    scripted.client.delete(f"/assets/{scripted.asset(media.clip)}")
    api.wait_for(lambda: leftovers(scripted) == before, timeout_s=10, what="the data directory as before")


def test_a_client_that_vanishes_leaves_nothing_behind(scripted, media):
    """Half an upload, a quarter of a batch, some of a chunk: gone with the connection."""
    session = scripted.client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                      "total_size": 12_000_000}).json()
    chunk_path = session["upload_urls"][0]["url"].split(str(scripted.server.port), 1)[1]
    before = leftovers(scripted)
    form = multipart([METHOD, file_part(b"\0" * 4_000_000)])
    batch = json.dumps(api.general_batch(1000, api.NO_SUCH_ID)).encode()
    json_headers = {"x-api-key": scripted.key.key, "Content-Type": "application/json"}
    unfinished = [request_bytes("POST", "/v1.3/assets", headers_of(scripted), form)[:2_000_000],
                  request_bytes("POST", "/v1.3/assets", headers_of(scripted, **{"Transfer-Encoding": "chunked"}),
                                length=False) + chunked(form, 60_000)[:-5],
                  request_bytes("POST", "/v1.3/analyze/batches", json_headers, batch)[:20_000],
                  request_bytes("PUT", chunk_path, {"Content-Type": "application/octet-stream"},
                                b"\0" * session["chunk_size"])[:3_000_000]]
    for rude in (False, True):
        for data in unfinished:
            connection = RawConnection(scripted.server.port)
            connection.send(data)
            time.sleep(0.1)
            connection.reset() if rude else connection.close()
    api.wait_for(lambda: leftovers(scripted) == before, timeout_s=10, what="the data directory as before")
    assert scripted.client.get("/analyze/batches").json()["data"] == []
    assert [a["_id"] for a in scripted.client.get("/assets").json()["data"]] == [session["asset_id"]]


def test_what_a_kill_left_half_uploaded_is_cleared_at_the_next_start(make_server, account_of):
    server = make_server(models=[scripted_model()])
    account = account_of(server)
    before = leftovers(account)
    form = multipart([METHOD, file_part(b"\0" * 4_000_000)])
    connection = RawConnection(server.port)
    connection.send(request_bytes("POST", "/v1.3/assets", headers_of(account), form)[:3_000_000])
    api.wait_for(lambda: sum(leftovers(account).values()) > sum(before.values()), timeout_s=10,
                 what="a part of the file on the disk")
    server.kill()
    connection.close()
    server.start()
    api.wait_for(lambda: leftovers(account) == before, timeout_s=10, what="the data directory as before")


def test_presigned_urls_are_bound_to_what_they_were_made_for(tight, media):
    session = tight.client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                   "total_size": 12_000_000}).json()
    other = tight.client.post("/assets/multipart-uploads", json={"filename": "m.mp4", "type": "video",
                                                                 "total_size": 12_000_000}).json()
    data = b"\1" * session["chunk_size"]

    def fresh() -> str:
        """No URL waits for what others are used for."""
        return tight.client.post(f"/assets/multipart-uploads/{session['upload_id']}/presigned-urls",
                                 json={"start": 1, "count": 1}).json()["upload_urls"][0]["url"]

    def put(url: str, data: bytes = data) -> httpx.Response:
        return httpx.put(url, content=data, trust_env=False, timeout=30)

    def expires_at(url: str) -> int:
        return int(re.search(r"expires=(\d+)", url)[1])

    forgeries = {
        "last digit of the signature": lambda url: url[:-1] + ("1" if url[-1] == "0" else "0"),
        "no signature": lambda url: url.split("?")[0],
        "other chunk": lambda url: session["upload_urls"][1]["url"].split("?")[0] + "?" + url.split("?")[1],
        "other session": lambda url: url.replace(session["upload_id"], other["upload_id"]),
        "later expiry": lambda url: url.replace(f"expires={expires_at(url)}", f"expires={expires_at(url) + 1000}"),
        "expiry that is no number": lambda url: url.replace(f"expires={expires_at(url)}", "expires=never"),
    }
    for name, forged in forgeries.items():
        url = fresh()
        assert forged(url) != url
        response = put(forged(url))
        assert response.status_code == 403, f"{name}: {response.status_code} {response.text}"
        api.check_error(response, 403)
    api.check_error(put(fresh(), data + b"x"), 400)
    api.check_error(put(fresh(), data[:-1]), 400)
    url = fresh()
    good = put(url)
    assert good.status_code == 200 and good.headers["etag"], good.text
    api.wait_for(lambda: time.time() > expires_at(url) + 0.2, what="the URL's end")
    api.check_error(put(url), 403)
    assert put(fresh()).status_code == 200, "a fresh URL for a chunk that was not reported"


def test_an_upload_session_ends_with_its_time(hasty):
    session = hasty.client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                   "total_size": 12_000_000}).json()
    url = session["upload_urls"][0]["url"]
    assert httpx.put(url, content=b"\1" * session["chunk_size"], trust_env=False, timeout=30).status_code == 200
    before = sum(leftovers(hasty).values())
    asset = api.wait_for(lambda: (a := hasty.client.get(f"/assets/{session['asset_id']}").json())["status"] == "failed"
                         and a, timeout_s=30, every_s=0.2, what="the session expiring")
    assert asset["error"]["message"]
    path = f"/assets/multipart-uploads/{session['upload_id']}"
    report = {"completed_chunks": [{"chunk_index": 1, "proof": "0" * 32, "proof_type": "etag", "chunk_size": 5}]}
    api.check_error(hasty.client.post(path, json=report), 400, "upload_expired")
    api.check_error(hasty.client.post(f"{path}/presigned-urls", json={"start": 1, "count": 1}), 400, "upload_expired")
    api.wait_for(lambda: sum(leftovers(hasty).values()) < before, timeout_s=20, what="the chunks being removed")


def test_sessions_that_make_no_sense_are_refused(tight):
    good = {"filename": "l.mp4", "type": "video", "total_size": 1000}
    for change in ({"total_size": 0}, {"total_size": -5}, {"total_size": "10"}, {"total_size": 1.5},
                   {"total_size": None}, {"total_size": 30_000_001}, {"type": "document?"}, {"type": None},
                   {"filename": None}, {"filename": 5}, {"user_metadata": "{}"}, {"user_metadata": {"a": {}}},
                   {"colour": "red"}, {"total_size": 1e30}):
        api.check_error(tight.client.post("/assets/multipart-uploads", json={**good, **change}), 400)
    session = tight.client.post("/assets/multipart-uploads", json=good).json()
    path = f"/assets/multipart-uploads/{session['upload_id']}"
    for body in ({}, {"completed_chunks": None}, {"completed_chunks": [{}]}, {"completed_chunks": [{"chunk_index": 1}]}):
        api.check_error(tight.client.post(path, json=body), 400)
    for body in ({}, {"start": 0, "count": 1}, {"start": 1, "count": 51}, {"start": 1}, {"start": 2, "count": 1}):
        api.check_error(tight.client.post(f"{path}/presigned-urls", json=body), 400)
    assert tight.client.get("/assets/multipart-uploads").json()["page_info"]["total_results"] == 1


def test_a_url_into_the_private_network_is_not_fetched(tight):
    """Neither by address nor through a name, and the refusal is an asset that failed or a 400."""
    for url in (f"http://127.0.0.1:{tight.server.port}/healthz", f"http://localhost:{tight.server.port}/healthz",
                "http://169.254.169.254/latest/meta-data", "http://[::1]/x", "http://0/x", "http://2130706433/x",
                "file:///etc/passwd", "gopher://127.0.0.1/x", "not a url"):
        response = tight.client.post("/assets", files={"method": (None, "url"), "url": (None, url)})
        if response.status_code == 201:
            asset = api.settled_asset(tight.client, response.json()["_id"])
            assert asset["status"] == "failed" and asset["error"]["message"], url
            assert "root:" not in asset["error"]["message"]
        else:
            api.check_error(response, 400)


def test_a_url_that_is_allowed_is_fetched(make_server, account_of, media, tmp_path):
    import functools
    import http.server
    import threading
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(media.clip.parent))
    handler.log_message = lambda *_: None
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    try:
        server = make_server(models=[scripted_model()], settings={"fetch": {"allowed_networks": ["127.0.0.0/8"]}})
        account = account_of(server)
        sdk = account.sdk()
        media.image  # is in the folder, too
        for name, kind in ((media.clip.name, "video/mp4"), (media.image.name, "image/png")):
            created = sdk.assets.create(method="url", url=f"http://127.0.0.1:{origin.server_port}/{name}")
            asset = api.settled_asset(account.client, created.id)
            assert (asset["status"], asset["file_type"], asset["method"]) == ("ready", kind, "url"), asset
            assert asset["filename"] == name
        missing = sdk.assets.create(method="url", url=f"http://127.0.0.1:{origin.server_port}/none.mp4")
        assert api.settled_asset(account.client, missing.id)["status"] == "failed"
    finally:
        origin.shutdown()
        origin.server_close()
