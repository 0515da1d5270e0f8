"""What a batch may not be, and what may not arrive as JSON: every refusal is typed, and nothing is created."""

import json
import random

import httpx
import pytest

import api

GENERAL = {"model_name": "pegasus1.5", "analysis_mode": "general"}
SEGMENTS = {"model_name": "pegasus1.5", "analysis_mode": "time_based_metadata"}
PROMPT = {"input_text": "What happens?"}
SCENE = {"type": "segment_definitions", "segment_definitions": [{"id": "a", "description": "All"}]}
SCHEMA = {"type": "json_schema", "json_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}


def fields(**overrides: object) -> dict:
    definition = {"id": "a", "description": "All", **overrides}
    return {"type": "segment_definitions", "segment_definitions": [definition]}


def schema(**properties: object) -> dict:
    return {"type": "json_schema", "json_schema": {"type": "object", "properties": properties}}


# name: (what to change in a good general item, expected code or None for any of the 400s)
BAD_ITEMS = {
    "empty custom_id": ({"custom_id": ""}, "parameter_invalid"),
    "long custom_id": ({"custom_id": "a" * 65}, "parameter_invalid"),
    "custom_id with a space": ({"custom_id": "a b"}, "parameter_invalid"),
    "custom_id that is not ASCII": ({"custom_id": "\u00e9"}, "parameter_invalid"),
    "custom_id that is a number": ({"custom_id": 7}, "parameter_invalid"),
    "prompt as a string": ({"prompt": "What?"}, "parameter_invalid"),
    "prompt without text": ({"prompt": {}}, "parameter_not_provided"),
    "blank prompt": ({"prompt": {"input_text": " \n "}}, "parameter_invalid"),
    "undeclared placeholder": ({"prompt": {"input_text": "Find <@logo>"}}, "parameter_invalid"),
    "five media sources": ({"prompt": {"input_text": "x", "media_sources": [
        {"name": f"n{i}", "media_type": "image", "url": "https://example.com/a.png"} for i in range(5)]}},
        "parameter_invalid"),
    "media source of two kinds": ({"prompt": {"input_text": "x", "media_sources": [
        {"name": "n", "media_type": "image", "url": "https://example.com/a.png", "asset_id": api.NO_SUCH_ID}]}},
        "parameter_invalid"),
    "video without an asset": ({"video": {"type": "asset_id"}}, "parameter_not_provided"),
    "video by URL": ({"video": {"type": "url", "url": "https://example.com/a.mp4"}}, "parameter_invalid"),
    "malformed asset id": ({"video": {"type": "asset_id", "asset_id": "xyz"}}, "parameter_invalid"),
    "no video": ({"video": None}, "parameter_not_provided"),
    "cold temperature": ({"temperature": -0.1}, "parameter_invalid"),
    "hot temperature": ({"temperature": 1.01}, "parameter_invalid"),
    "temperature as text": ({"temperature": "0.2"}, "parameter_invalid"),
    "few tokens": ({"max_tokens": 511}, "parameter_invalid"),
    "many tokens": ({"max_tokens": 98305}, "parameter_invalid"),
    "half a token": ({"max_tokens": 600.5}, "parameter_invalid"),
    "window backwards": ({"start_time": 10, "end_time": 5}, "parameter_invalid"),
    "window too short": ({"start_time": 1, "end_time": 4.9}, "parameter_invalid"),
    "negative start": ({"start_time": -1}, "parameter_invalid"),
    "segment bounds in general": ({"min_segment_duration": 2}, "parameter_invalid"),
    "segments in general": ({"response_format": SCENE}, "parameter_invalid"),
    "schema missing": ({"response_format": {"type": "json_schema"}}, None),
    "format of unknown type": ({"response_format": {"type": "xml"}}, "parameter_invalid"),
    "timestamp deep down": ({"response_format": schema(a={"type": "object", "properties": {
        "b": {"type": "timestamp", "format": "seconds"}}})}, "parameter_invalid"),
    "timestamp without format": ({"response_format": schema(a={"type": "timestamp"})}, None),
    "start_time as a date": ({"response_format": schema(start_time={"type": "string", "format": "date"})},
                             "parameter_invalid"),
    "unknown member": ({"colour": "red"}, "parameter_unknown"),
    "prompt_v2": ({"prompt_v2": PROMPT}, "parameter_unknown"),
}

BAD_SEGMENT_ITEMS = {
    "prompt": {"prompt": PROMPT},
    "schema": {"response_format": SCHEMA},
    "no format": {"response_format": None},
    "no definitions": {"response_format": {"type": "segment_definitions", "segment_definitions": []}},
    "21 definitions": {"response_format": {"type": "segment_definitions", "segment_definitions": [
        {"id": f"d{i}", "description": "x"} for i in range(21)]}},
    "same id twice": {"response_format": {"type": "segment_definitions", "segment_definitions": [
        {"id": "a", "description": "x"}, {"id": "a", "description": "y"}]}},
    "21 fields": {"response_format": fields(fields=[{"name": f"f{i}", "type": "string", "description": "x"}
                                                    for i in range(21)])},
    "timestamp field without format": {"response_format": fields(fields=[
        {"name": "t", "type": "timestamp", "description": "x"}])},
    "format on a string field": {"response_format": fields(fields=[
        {"name": "t", "type": "string", "description": "x", "format": "seconds"}])},
    "array field without items": {"response_format": fields(fields=[
        {"name": "t", "type": "array", "description": "x"}])},
    "101 enum values": {"response_format": fields(fields=[
        {"name": "t", "type": "string", "description": "x", "enum": [str(i) for i in range(101)]}])},
    "range of a second": {"response_format": fields(time_ranges=[{"start_time": 0, "end_time": 1}])},
    "ranges that overlap": {"response_format": fields(time_ranges=[{"start_time": 0, "end_time": 3},
                                                                   {"start_time": 2, "end_time": 5}])},
    "ranges and a window": {"response_format": fields(time_ranges=[{"start_time": 0, "end_time": 3}]),
                            "start_time": 0},
    "ranges and bounds": {"response_format": fields(time_ranges=[{"start_time": 0, "end_time": 3}]),
                          "min_segment_duration": 2},
    "min over max": {"min_segment_duration": 5, "max_segment_duration": 4},
    "min below two": {"min_segment_duration": 1.9},
    "few tokens": {"max_tokens": 2047},
    "unknown time format": {"response_format": {**SCENE, "segment_time_format": "frames"}},
}

UNSUPPORTED_SCHEMAS = {
    "maxLength": schema(a={"type": "string", "maxLength": 3}),
    "additionalProperties": {"type": "json_schema", "json_schema": {
        "type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}},
    "uniqueItems": schema(a={"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
    "maxItems": schema(a={"type": "array", "items": {"type": "string"}, "maxItems": 4}),
    "oneOf": schema(a={"oneOf": [{"type": "string"}, {"type": "integer"}]}),
    "multipleOf": schema(a={"type": "integer", "multipleOf": 2}),
}


@pytest.fixture
def asset_id(scripted, media) -> str:
    return scripted.asset(media.clip)


def post(scripted, body: object) -> httpx.Response:
    return scripted.client.post("/analyze/batches", json=body)


@pytest.mark.parametrize("name", BAD_ITEMS)
def test_a_bad_item_refuses_the_whole_batch(scripted, asset_id, name):
    change, code = BAD_ITEMS[name]
    good = {"video": api.video(asset_id), "prompt": PROMPT}
    body = {**GENERAL, "requests": [good, {**good, "custom_id": "bad", **change}]}
    error = api.check_error(post(scripted, body), 400, code)
    assert "requests[1]" in error["message"] and "requests[1]" in error["error"]["details"]["field"], error
    assert api.count_batches(scripted.client) == 0


@pytest.mark.parametrize("name", BAD_SEGMENT_ITEMS)
def test_a_bad_segment_item_refuses_the_whole_batch(scripted, asset_id, name):
    good = {"video": api.video(asset_id), "response_format": SCENE}
    body = {**SEGMENTS, "requests": [good, {**good, **BAD_SEGMENT_ITEMS[name]}]}
    api.check_error(post(scripted, body), 400)
    assert api.count_batches(scripted.client) == 0


@pytest.mark.parametrize("keyword", UNSUPPORTED_SCHEMAS)
def test_an_unsupported_schema_keyword_is_named(scripted, asset_id, keyword):
    body = {**GENERAL, "requests": [{"video": api.video(asset_id), "prompt": PROMPT,
                                     "response_format": UNSUPPORTED_SCHEMAS[keyword]}]}
    error = api.check_error(post(scripted, body), 422, "parameter_invalid")
    assert keyword in error["message"]
    assert api.count_batches(scripted.client) == 0


def test_bad_batches_as_a_whole(scripted, asset_id):
    good = {"video": api.video(asset_id), "prompt": PROMPT}
    same = {**good, "custom_id": "same"}
    cases = {
        "no model": ({"analysis_mode": "general", "requests": [good]}, "parameter_not_provided"),
        "other model": ({**GENERAL, "model_name": "pegasus9", "requests": [good]}, "parameter_invalid"),
        "no mode": ({"model_name": "pegasus1.5", "requests": [good]}, "parameter_not_provided"),
        "other mode": ({**GENERAL, "analysis_mode": "both", "requests": [good]}, "parameter_invalid"),
        "no requests": (GENERAL, "parameter_not_provided"),
        "null requests": ({**GENERAL, "requests": None}, "parameter_not_provided"),
        "empty requests": ({**GENERAL, "requests": []}, "parameter_invalid"),
        "1001 requests": ({**GENERAL, "requests": [good] * 1001}, "parameter_invalid"),
        "requests as an object": ({**GENERAL, "requests": {"0": good}}, "parameter_invalid"),
        "an item that is a string": ({**GENERAL, "requests": ["x"]}, "parameter_invalid"),
        "same custom_id": ({**GENERAL, "requests": [same, good, same]}, "parameter_invalid"),
        "no prompt anywhere": ({**GENERAL, "requests": [{"video": api.video(asset_id)}]}, None),
        "bad default that nobody uses": ({**GENERAL, "defaults": {"temperature": 3},
                                          "requests": [{**good, "temperature": 0.1}]}, "parameter_invalid"),
        "prompt in defaults of segments": ({**SEGMENTS, "defaults": {"prompt": PROMPT, "response_format": SCENE},
                                            "requests": [{"video": api.video(asset_id)}]}, "parameter_invalid"),
        "custom_id in defaults": ({**GENERAL, "defaults": {"custom_id": "a"}, "requests": [good]},
                                  "parameter_unknown"),
        "unknown member": ({**GENERAL, "requests": [good], "priority": 1}, "parameter_unknown"),
        "an array": ([], "parameter_invalid"),
        "a string": ("x", "parameter_invalid"),
        "null": (None, "parameter_invalid"),
    }
    for name, (body, code) in cases.items():
        response = scripted.client.post("/analyze/batches", content=json.dumps(body).encode(),
                                        headers={"content-type": "application/json"})
        try:
            api.check_error(response, 400, code)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    assert api.count_batches(scripted.client) == 0


def test_unknown_assets_are_404_and_waiting_ones_409(scripted, asset_id):
    missing = {"video": api.video(api.NO_SUCH_ID), "prompt": PROMPT}
    good = {"video": api.video(asset_id), "prompt": PROMPT}
    api.check_error(post(scripted, {**GENERAL, "requests": [good, missing]}), 404, "resource_not_exist")
    session = scripted.client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                      "total_size": 10_000_000}).json()
    waiting = {"video": api.video(session["asset_id"]), "prompt": PROMPT}
    api.check_error(post(scripted, {**GENERAL, "requests": [good, waiting]}), 409, "asset_not_ready")
    api.check_error(post(scripted, {**GENERAL, "requests": [waiting, missing]}), 404, "resource_not_exist")
    assert api.count_batches(scripted.client) == 0


def test_null_means_absent_and_floats_may_be_whole(scripted, asset_id):
    body = {**GENERAL, "defaults": {"prompt": {"input_text": "x", "media_sources": None}, "temperature": None,
                                    "response_format": None, "max_tokens": 4096.0},
            "requests": [{"video": api.video(asset_id), "custom_id": None, "prompt": None, "start_time": 0.0,
                          "end_time": None}]}
    response = post(scripted, body)
    assert response.status_code == 201, response.text
    assert response.json()["items"][0]["custom_id"] is None
    api.wait_for_batch(scripted.client, response.json()["batch_id"])


def test_a_thousand_items_are_taken_and_answered_in_order(scripted, asset_id):
    body = api.general_batch(1000, asset_id)
    batch = api.create_batch(scripted.client, body)
    assert [item["custom_id"] for item in batch["items"]] == [f"item-{i:04d}" for i in range(1000)]
    ended = api.wait_for_batch(scripted.client, batch["batch_id"], timeout_s=120)
    assert (ended["status"], ended["ready_items"]) == ("completed", 1000)
    lines = api.results_of(scripted.client, batch["batch_id"])
    assert [line["task_id"] for line in lines] == [item["task_id"] for item in batch["items"]]
    assert api.raw_results(scripted.client, batch["batch_id"]) == api.raw_results(scripted.client, batch["batch_id"])


NOT_JSON = {
    "nothing": b"",
    "cut": b'{"model_name":"pegasus1.5","requ',
    "garbage behind": b'{"model_name":"pegasus1.5"} x',
    "two documents": b"{}{}",
    "NaN": b'{"model_name":NaN}',
    "a comment": b'{"model_name":"a" /* b */}',
    "single quotes": b"{'model_name':'a'}",
    "not UTF-8": b'{"model_name":"\xff\xfe"}',
    "overlong UTF-8": b'{"model_name":"\xc0\xaf"}',
    "half a surrogate": b'{"model_name":"\\ud800"}',
    "a raw control character": b'{"model_name":"a\x01b"}',
    "NUL": b'{"model_name":"a\x00b"}',
    "the same key twice": b'{"model_name":"pegasus1.5","model_name":"pegasus1.5","analysis_mode":"general",'
                          b'"requests":[]}',
    "1000 arrays deep": b'{"requests":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "100000 arrays deep": b"[" * 100_000 + b"]" * 100_000,
    "1000 objects deep": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    "a number too big": b'{"model_name":"pegasus1.5","analysis_mode":"general","requests":[{"start_time":1e999}]}',
    "a BOM and nothing": b"\xef\xbb\xbf",
}


@pytest.mark.parametrize("path", ["/analyze/batches", "/analyze/tasks", "/analyze", "/assets/multipart-uploads"])
def test_what_is_not_json_is_refused(scripted, path):
    for name, body in NOT_JSON.items():
        response = scripted.client.post(path, content=body, headers={"content-type": "application/json"})
        try:
            api.check_error(response, 400)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    assert scripted.client.get("/analyze/batches").status_code == 200, "the server goes on"


def test_a_key_twice_deep_inside_is_refused_too(scripted, asset_id):
    text = json.dumps({**GENERAL, "requests": [{"video": api.video(asset_id), "prompt": PROMPT}]})
    doubled = text.replace('"input_text"', '"input_text": "first", "input_text"')
    response = scripted.client.post("/analyze/batches", content=doubled.encode(),
                                    headers={"content-type": "application/json"})
    api.check_error(response, 400, "parameter_invalid")
    assert api.count_batches(scripted.client) == 0


def test_the_schema_keeps_its_order_even_with_escapes(scripted, asset_id):
    names = ["zz", "aa", "\u00e9\u2028", "10", "9", "__proto__"]
    properties = {name: {"type": "string"} for name in names}
    body = {**GENERAL, "requests": [{"video": api.video(asset_id), "prompt": PROMPT,
                                     "response_format": {"type": "json_schema", "json_schema": {
                                         "type": "object", "properties": properties, "required": names}}}]}
    batch = post(scripted, body)
    assert batch.status_code == 201, batch.text
    task = scripted.client.get(f"/analyze/tasks/{batch.json()['items'][0]['task_id']}").json()
    assert list(task["request_params"]["response_format"]["json_schema"]["properties"]) == names


@pytest.mark.parametrize("path", ["/analyze/batches", "/analyze/tasks", "/analyze", "/assets/multipart-uploads"])
def test_another_content_type_is_refused(scripted, path):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "garbage"):
        headers = {"content-type": kind} if kind else {}
        response = scripted.client.post(path, content=b"{}", headers=headers)
        api.check_error(response, 400, "content_type_invalid")
    ok = scripted.client.post(path, content=b"{}", headers={"content-type": "Application/JSON; charset=utf-8"})
    assert ok.json()["code"] != "content_type_invalid"


def test_random_damage_to_a_good_body_never_breaks_the_server(scripted, asset_id):
    good = json.dumps({**GENERAL, "defaults": {"prompt": PROMPT, "response_format": SCHEMA, "temperature": 0.1},
                       "requests": [{"video": api.video(api.NO_SUCH_ID), "custom_id": "a"}]}).encode()
    random_source = random.Random(7)
    for _ in range(300):
        body = bytearray(good)
        for _ in range(random_source.randint(1, 4)):
            where = random_source.randrange(len(body))
            kind = random_source.randrange(3)
            if kind == 0:
                body[where] = random_source.randrange(256)
            elif kind == 1:
                del body[where:where + random_source.randint(1, 9)]
            else:
                body[where:where] = random_source.choice([b"{", b"}", b"[", b'"', b",", b"null", b"\\u0000", b"1e400"])
            if not body:
                body = bytearray(b"x")
        response = scripted.client.post("/analyze/batches", content=bytes(body),
                                        headers={"content-type": "application/json"})
        # A body that survived its damage names an asset that does not exist.
        assert response.status_code in (400, 404, 422), (response.status_code, bytes(body))
        api.check_error(response, response.status_code)
    assert api.count_batches(scripted.client) == 0


def test_bad_queries_are_refused_and_unknown_ones_ignored(scripted):
    for path in ("/analyze/batches", "/analyze/tasks", "/assets", "/assets/multipart-uploads"):
        for query in ("page=0", "page=-1", "page=x", "page=1.5", "page_limit=0", "page_limit=51", "page_limit=",
                      "page=99999999999999999999"):
            response = scripted.client.get(f"{path}?{query}")
            assert response.status_code == 400, f"{path}?{query}: {response.status_code}"
            api.check_error(response, 400, "parameter_invalid")
        assert scripted.client.get(f"{path}?colour=red&page=1").status_code == 200
    assert scripted.client.get("/analyze/batches?status=pending&status=processing&status=completed").status_code == 200
    api.check_error(scripted.client.get("/analyze/batches?status=pending&status=bogus"), 400, "parameter_invalid")
    api.check_error(scripted.client.get("/analyze/tasks?status=bogus"), 400, "parameter_invalid")
    assert scripted.client.get("/analyze/tasks?status=canceled").status_code == 200


def test_unknown_paths_and_methods(scripted):
    api.check_error(scripted.client.get("/analyze/bananas/1/2"), 404, "endpoint_not_exist")
    response = scripted.client.put("/analyze/batches", json={})
    api.check_error(response, 405, "method_not_allowed")
    assert {"GET", "POST"} <= {method.strip() for method in response.headers["allow"].split(",")}


def test_common_headers_are_there(scripted):
    response = scripted.client.get("/analyze/batches", headers={"accept": "text/html"})
    assert response.status_code == 200 and response.headers["x-api-version"] == "1.3"
    assert "content-encoding" not in response.headers
    bearer = httpx.get(f"{scripted.server.base_url}/analyze/batches", trust_env=False,
                       headers={"authorization": f"Bearer {scripted.key.key}"})
    assert bearer.status_code == 200
