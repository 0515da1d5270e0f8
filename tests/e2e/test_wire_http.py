"""HTTP at its edges: ambiguous messages are refused, the rest is served, and the server lives on."""

import json

import httpx
import pytest

import api
from raw_http import RawConnection, request_bytes


def ask(port: int, data: bytes):
    with RawConnection(port) as connection:
        connection.send(data)
        return connection.read_response()


AMBIGUOUS = {
    "two lengths": b"POST /v1.3/analyze HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "length and chunked": b"POST /v1.3/analyze HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": b"GET /v1.3/assets HTTP/1.1\r\nHost : a\r\n\r\n",
    "folded header": b"GET /v1.3/assets HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "no host": b"GET /v1.3/assets HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /v1.3/assets HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "negative length": b"POST /v1.3/analyze HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "length with a sign": b"POST /v1.3/analyze HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
    "NUL in a header": b"GET /v1.3/assets HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
    "bad chunk size": b"POST /v1.3/analyze HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": b"POST /v1.3/analyze HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                                 b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "endless head": b"GET /v1.3/assets HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 200_000,
    "old version": b"GET /v1.3/assets HTTP/0.9\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_message_gets_one_error_and_a_closed_connection(scripted_server, name):
    with RawConnection(scripted_server.port) as connection:
        try:
            connection.send(AMBIGUOUS[name])
        except OSError:
            return  # closed while we were still talking
        connection.half_close()
        response = connection.read_response()
        if response is not None:
            assert 400 <= response.status <= 505, response
            assert connection.closed_by_peer()
    assert httpx.get(f"{scripted_server.url}/healthz", trust_env=False).status_code == 200


def test_requests_one_behind_the_other_are_answered_in_order(scripted):
    with RawConnection(scripted.server.port) as connection:
        headers = {"x-api-key": scripted.key.key}
        paths = ["/v1.3/assets", "/v1.3/nowhere", "/v1.3/analyze/tasks", "/v1.3/assets?page=0"]
        connection.send(b"".join(request_bytes("GET", path, headers) for path in paths))
        responses = [connection.read_response() for _ in paths]
    assert [response.status for response in responses] == [200, 404, 200, 400]
    assert all(json.loads(response.body) for response in responses)


def test_identifiers_may_arrive_percent_encoded_and_in_capitals(scripted, media):
    asset_id = scripted.asset(media.clip)
    encoded = "".join(f"%{ord(character):02x}" for character in asset_id)
    with RawConnection(scripted.server.port) as connection:
        for id in (encoded, asset_id.upper()):
            connection.send(request_bytes("GET", f"/v1.3/assets/{id}", {"x-api-key": scripted.key.key}))
            response = connection.read_response()
            assert response.status == 200 and json.loads(response.body)["_id"] == asset_id
        for id in ("%", "%zz", "%00", "..%2f..", "a" * 5000):
            connection.send(request_bytes("GET", f"/v1.3/assets/{id}", {"x-api-key": scripted.key.key}))
            response = connection.read_response()
            if response is None:
                break
            assert response.status in (400, 404, 414), (id, response)


def test_a_client_that_expects_to_be_told_to_go_on(scripted):
    body = json.dumps(api.general_batch([])).encode()
    with RawConnection(scripted.server.port) as connection:
        connection.send(request_bytes("POST", "/v1.3/analyze/batches", {
            "x-api-key": scripted.key.key, "Content-Type": "application/json", "Expect": "100-continue",
            "Content-Length": str(len(body))}, length=False))
        assert connection.read_response().status == 100
        connection.send(body)
        assert connection.read_response().status == 400


def test_cancel_is_taken_with_and_without_a_body(scripted):
    path = f"/v1.3/analyze/batches/{api.NO_SUCH_ID}/cancel"
    with RawConnection(scripted.server.port) as connection:
        for data in (request_bytes("POST", path, {"x-api-key": scripted.key.key}),
                     request_bytes("POST", path, {"x-api-key": scripted.key.key}, length=False),
                     request_bytes("POST", path, {"x-api-key": scripted.key.key,
                                                  "Content-Type": "application/json"}, b"{}")):
            connection.send(data)
            assert connection.read_response().status == 404


def test_a_head_request_has_no_body(scripted):
    response = scripted.client.head("/analyze/batches")
    assert response.status_code in (200, 405) and response.content == b""


def test_the_health_page_needs_no_key(scripted_server):
    assert httpx.get(f"{scripted_server.url}/healthz", trust_env=False).json() == {"status": "ok"}


def test_many_connections_at_once_are_served(scripted):
    connections = [RawConnection(scripted.server.port) for _ in range(200)]
    try:
        for connection in connections:
            connection.send(request_bytes("GET", "/v1.3/assets", {"x-api-key": scripted.key.key}))
        assert all(connection.read_response().status == 200 for connection in connections)
    finally:
        for connection in connections:
            connection.close()


def test_a_slow_head_is_cut_off(make_server):
    server = make_server(settings={"server": {"header_time_s": 1, "idle_time_s": 1}})
    with RawConnection(server.port, timeout_s=10) as slow, RawConnection(server.port, timeout_s=10) as idle:
        slow.send(b"GET /healthz HTTP/1.1\r\nHost:")
        response = slow.read_response()
        assert response is None or response.status == 408
        assert idle.closed_by_peer()
    with RawConnection(server.port) as connection:
        connection.send(request_bytes("GET", "/healthz", {}))
        assert connection.read_response().status == 200
