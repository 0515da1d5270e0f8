"""Every typed exception that a client can provoke, with both error envelopes in its body."""

import time

import pytest
from twelvelabs.core.api_error import ApiError
from twelvelabs.errors import BadRequestError, ConflictError, NotFoundError, TooManyRequestsError
from twelvelabs.types import (AsyncResponseFormat, BatchItemRequest, BatchPrompt, BatchVideoContext,
                              VideoContext_AssetId)

import api

GONE = api.NO_SUCH_ID


def item(asset_id: str, **extra: object) -> BatchItemRequest:
    extra.setdefault("prompt", BatchPrompt(input_text="What?"))
    return BatchItemRequest(video=BatchVideoContext(type="asset_id", asset_id=asset_id), **extra)


def general(sdk, *requests: BatchItemRequest):
    return sdk.analyze_async.batches.create(model_name="pegasus1.5", analysis_mode="general", requests=list(requests))


def raised(kind: type[ApiError], call, status: int, code: str) -> ApiError:
    with pytest.raises(kind) as caught:
        result = call()
        list(result) if hasattr(result, "__iter__") else None
    error = caught.value
    assert type(error) is kind, f"{type(error).__name__} {error.body}"
    assert error.status_code == status and error.body["code"] == code, error.body
    assert error.body["error"]["code"] == code and error.body["message"] and error.body["error"]["message"]
    return error


def test_python_errors_of_batches(scripted, media):
    sdk = scripted.sdk()
    batches = sdk.analyze_async.batches
    asset_id = scripted.asset(media.clip)
    raised(BadRequestError, lambda: general(sdk), 400, "parameter_invalid")
    raised(NotFoundError, lambda: general(sdk, item(GONE)), 404, "resource_not_exist")
    raised(NotFoundError, lambda: batches.retrieve(GONE), 404, "resource_not_exist")
    raised(NotFoundError, lambda: batches.retrieve("not an id/../x"), 404, "resource_not_exist")
    raised(NotFoundError, lambda: batches.results(GONE), 404, "resource_not_exist")
    raised(NotFoundError, lambda: batches.cancel(GONE), 404, "resource_not_exist")
    raised(NotFoundError, lambda: batches.delete(GONE), 404, "resource_not_exist")
    raised(BadRequestError, lambda: batches.list(page_limit=51), 400, "parameter_invalid")
    raised(BadRequestError, lambda: batches.list(page=0), 400, "parameter_invalid")
    raised(BadRequestError, lambda: batches.list(status=["completed", "failed"]), 400, "parameter_invalid")
    raised(BadRequestError, lambda: batches.list(analysis_mode="mixed"), 400, "parameter_invalid")
    too_fancy = AsyncResponseFormat(type="json_schema", json_schema={
        "type": "object", "properties": {"a": {"type": "string", "minLength": 2}}})
    error = raised(ApiError, lambda: general(sdk, item(asset_id, response_format=too_fancy)), 422, "parameter_invalid")
    assert "minLength" in error.body["message"]
    assert api.count_batches(scripted.client) == 0


def test_python_errors_of_ended_batches(scripted, media):
    sdk = scripted.sdk()
    created = general(sdk, item(scripted.asset(media.clip)))
    api.wait_for_batch(scripted.client, created.batch_id)
    raised(ConflictError, lambda: sdk.analyze_async.batches.cancel(created.batch_id), 409, "batch_completed")


def test_python_errors_of_tasks_and_direct_calls(scripted, media):
    sdk = scripted.sdk()
    tasks = sdk.analyze_async.tasks
    on_clip = VideoContext_AssetId(asset_id=scripted.asset(media.clip))
    raised(NotFoundError, lambda: tasks.retrieve(GONE), 404, "resource_not_exist")
    raised(NotFoundError, lambda: tasks.delete(GONE), 404, "resource_not_exist")
    raised(BadRequestError, lambda: tasks.list(page_limit=0), 400, "parameter_invalid")
    raised(BadRequestError, lambda: tasks.create(video=VideoContext_AssetId(asset_id=GONE), prompt="?"), 400,
           "resource_not_exist")
    for wrong in ({}, {"prompt": "a", "prompt_v_2": {"input_text": "b"}}, {"prompt": ""}):
        with pytest.raises(BadRequestError):
            tasks.create(video=on_clip, **wrong)
    raised(NotFoundError, lambda: sdk.analyze(video=VideoContext_AssetId(asset_id=GONE), prompt="?"), 404,
           "resource_not_exist")


def test_python_errors_of_keys_are_generic(scripted):
    from conftest import pointed_at
    from twelvelabs import TwelveLabs
    with pointed_at(scripted.server.base_url):
        sdk = TwelveLabs(api_key="sheaf_000000000000" + "A" * 38)
    with pytest.raises(ApiError) as refused:
        list(sdk.analyze_async.batches.list())
    assert refused.value.status_code == 401 and refused.value.body["code"] == "api_key_invalid"
    api.check_error(scripted.server.client(None).get("/analyze/batches"), 401, "api_key_invalid")


def test_an_asset_that_is_not_ready(scripted, media):
    """409 for a batch, 400 for a task and for a direct call."""
    sdk = scripted.sdk()
    session = scripted.client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                                      "total_size": 10_000_000}).json()
    waiting = session["asset_id"]
    raised(ConflictError, lambda: general(sdk, item(waiting)), 409, "asset_not_ready")
    failed = api.settled_asset(scripted.client, api.upload(scripted.client, media.broken)["_id"])
    assert failed["status"] == "failed"
    raised(ConflictError, lambda: general(sdk, item(failed["_id"])), 409, "asset_not_ready")
    raised(BadRequestError, lambda: sdk.analyze_async.tasks.create(video=VideoContext_AssetId(asset_id=waiting),
                                                                   prompt="?"), 400, "asset_not_ready")
    raised(BadRequestError, lambda: sdk.analyze(video=VideoContext_AssetId(asset_id=waiting), prompt="?"), 400,
           "asset_not_ready")
    image = scripted.asset(media.image)
    raised(BadRequestError, lambda: general(sdk, item(image)), 400, "parameter_invalid")
    assert api.count_batches(scripted.client) == 0


def wait_unless_the_minute_is_young() -> None:
    """The rate limit counts anew in each."""
    if (left := 60 - time.time() % 60) < 10:
        time.sleep(left)


def test_python_too_many_requests(make_server, account_of):
    """The rate limit is off unless it is set; then it says when to come back."""
    server = make_server(settings={"requests_per_minute": 5})
    account = account_of(server)
    sdk = account.sdk()
    wait_unless_the_minute_is_young()
    with pytest.raises(ApiError) as refused:
        for _ in range(10):
            sdk.analyze_async.batches.list()
    assert refused.value.status_code == 429 and refused.value.body["code"] == "too_many_requests"
    response = account.client.post("/analyze/batches", json={})
    api.check_error(response, 429, "too_many_requests")
    assert int(response.headers["retry-after"]) >= 1
    assert "x-ratelimit-request-remaining" in response.headers
    with pytest.raises(TooManyRequestsError):
        general(sdk, item(GONE))
    other = account_of(server)
    assert other.client.get("/analyze/batches").status_code == 200, "the limit counts by account"


EXPECTED_IN_JAVASCRIPT = {
    "batchEmpty": ("BadRequestError", 400, "parameter_invalid"),
    "batchSchema": ("TwelvelabsApiError", 422, "parameter_invalid"),
    "batchUnknownAsset": ("NotFoundError", 404, "resource_not_exist"),
    "batchRetrieve": ("NotFoundError", 404, "resource_not_exist"),
    "batchResults": ("NotFoundError", 404, None),  # the body of a streaming call is not decoded
    "batchDelete": ("NotFoundError", 404, "resource_not_exist"),
    "batchCancel": ("NotFoundError", 404, "resource_not_exist"),
    "batchList": ("BadRequestError", 400, "parameter_invalid"),
    "taskCreate": ("BadRequestError", 400, "parameter_not_provided"),
    "taskRetrieve": ("NotFoundError", 404, "resource_not_exist"),
    "taskDelete": ("NotFoundError", 404, "resource_not_exist"),
    "taskList": ("BadRequestError", 400, "parameter_invalid"),
    "analyze": ("BadRequestError", 400, "parameter_invalid"),
    "analyzeUnknown": ("NotFoundError", 404, "resource_not_exist"),
    "stream": ("NotFoundError", 404, None),
    "assetRetrieve": ("NotFoundError", 404, "resource_not_exist"),
    "assetCreate": ("BadRequestError", 400, "parameter_not_provided"),
    "assetList": ("BadRequestError", 400, "parameter_invalid"),
    "uploadCreate": ("BadRequestError", 400, "parameter_invalid"),
    "uploadStatus": ("NotFoundError", 404, "resource_not_exist"),
    "badKey": ("TwelvelabsApiError", 401, "api_key_invalid"),
}


def test_javascript_errors(scripted, media):
    seen = scripted.js("errors", assetId=scripted.asset(media.clip), calls=None)
    assert set(seen) == set(EXPECTED_IN_JAVASCRIPT)
    found = {name: (error["name"], error["status"], error["code"]) if error else None for name, error in seen.items()}
    # The calls whose body the library does not decode show no code.
    assert found == EXPECTED_IN_JAVASCRIPT
    for name, error in seen.items():
        assert error["nested"] == error["code"], name
