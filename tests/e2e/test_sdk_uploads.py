"""Assets through the official clients: every way a file can come in."""

import asyncio
import json

import httpx

import api
from twelvelabs.core.api_error import ApiError
from twelvelabs.errors import BadRequestError, ConflictError

import pytest


def wait_until_ready(sdk, asset_id: str):
    def probe():
        asset = sdk.assets.retrieve(asset_id)
        return asset if asset.status != "processing" else None

    return api.wait_for(probe, what="the asset being ready")


def test_python_uploads_a_file_object(scripted, media):
    sdk = scripted.sdk()
    with open(media.clip, "rb") as file:
        created = sdk.assets.create(method="direct", file=file, filename="A sunny day.mp4",
                                    user_metadata=json.dumps({"shelf": "A\U0001f600", "number": 7, "kept": True}))
    assert created.id and len(created.id) == 24 and created.id == created.id.lower()
    assert created.method == "direct" and created.filename == "A sunny day.mp4"
    assert created.status == "processing"

    asset = wait_until_ready(sdk, created.id)
    assert asset.status == "ready"
    assert asset.file_type == "video/mp4"
    assert asset.size == media.clip.stat().st_size
    assert abs(asset.duration - 6) < 0.3
    assert asset.user_metadata == {"shelf": "A\U0001f600", "number": 7, "kept": True}
    assert asset.technical_metadata.video_width == 640 and asset.technical_metadata.video_height == 360
    assert asset.technical_metadata.has_audio is True


def test_python_uploads_bytes_whatever_type_they_claim(scripted, media):
    sdk = scripted.sdk()
    created = sdk.assets.create(method="direct", file=("notes.txt", media.clip.read_bytes(), "text/plain"))
    asset = wait_until_ready(sdk, created.id)
    assert asset.status == "ready" and asset.file_type == "video/mp4" and asset.filename == "notes.txt"


def test_the_kind_of_a_file_comes_from_its_content(scripted, media):
    sdk = scripted.sdk()
    for path, kind in ((media.image, "image"), (media.sound, "audio"), (media.clip, "video")):
        created = sdk.assets.create(method="direct", file=("same.bin", path.read_bytes(), "application/octet-stream"))
        asset = wait_until_ready(sdk, created.id)
        assert asset.status == "ready" and asset.file_type.startswith(kind), asset
        listed = [entry.id for entry in sdk.assets.list(asset_types=[kind])]
        assert listed == [created.id]


def test_a_file_that_is_no_media_fails_with_a_message(scripted, media):
    sdk = scripted.sdk()
    created = sdk.assets.create(method="direct", file=("film.mp4", media.broken.read_bytes(), "video/mp4"))
    asset = wait_until_ready(sdk, created.id)
    assert asset.status == "failed" and asset.error.message


def test_python_multipart_helper_uploads_more_than_ten_chunks(scripted, media, tmp_path):
    sdk = scripted.sdk()
    seen = []
    result = sdk.multipart_upload.upload_file(media.large_clip, filename="large.mp4",
                                              progress_callback=lambda now: seen.append(now.completed_chunks))
    assert seen == [10, 12]
    assert result.asset_url.startswith("http"), "a complete upload has a URL"
    asset = wait_until_ready(sdk, result.asset_id)
    assert asset.status == "ready" and asset.method == "multipart" and asset.filename == "large.mp4"
    assert asset.size == media.large_clip.stat().st_size
    assert [upload.upload_id for upload in sdk.multipart_upload.list_incomplete_uploads()] == []


def test_async_python_uploads_and_lists(scripted, media):
    async def run():
        sdk = scripted.async_sdk()
        with open(media.clip, "rb") as file:
            created = await sdk.assets.create(method="direct", file=file)
        while (asset := await sdk.assets.retrieve(created.id)).status == "processing":
            await asyncio.sleep(0.05)
        assert asset.status == "ready"
        listed = [entry.id async for entry in await sdk.assets.list(page_limit=1)]
        assert listed == [created.id]
        result = await sdk.multipart_upload.upload_file(media.clip)
        while (asset := await sdk.assets.retrieve(result.asset_id)).status == "processing":
            await asyncio.sleep(0.05)
        assert asset.status == "ready"

    asyncio.run(run())


def test_javascript_uploads_a_stream_a_blob_and_a_file(scripted, media):
    seen = scripted.js("upload", path=str(media.clip), name="shoebox.mp4")
    for kind in ("stream", "blob", "file", "named"):
        created, asset = seen[kind]["created"], seen[kind]["asset"]
        assert created["status"] == "processing" and created["method"] == "direct", kind
        assert asset["status"] == "ready" and asset["fileType"] == "video/mp4", kind
        assert asset["size"] == media.clip.stat().st_size, kind
        assert abs(asset["duration"] - 6) < 0.3, kind
    assert seen["stream"]["asset"]["filename"] == media.clip.name
    assert seen["blob"]["asset"]["filename"] == "blob"
    assert seen["file"]["asset"]["filename"] == "shoebox.mp4"
    assert seen["named"]["asset"]["filename"] == "gew\u00e4hlt.mp4"
    assert seen["named"]["asset"]["userMetadata"] == {"shelf": "A\U0001f600", "number": 7, "ratio": 0.5, "kept": True}


def test_javascript_multipart_helper_uploads_more_than_ten_chunks(scripted, media):
    seen = scripted.js("uploadInChunks", path=str(media.large_clip))
    assert seen["progress"] == [10, 12]
    assert seen["result"]["assetUrl"].startswith("http")
    assert seen["asset"]["status"] == "ready"
    assert seen["asset"]["size"] == media.large_clip.stat().st_size


def test_javascript_lists_filters_and_deletes_assets(scripted, media):
    seen = scripted.js("assets", path=str(media.clip))
    assert seen["listed"] == list(reversed(seen["created"])), "newest first, and the pages end"
    assert seen["filtered"] == [seen["created"][1]]
    assert set(seen["chosen"]) == {seen["created"][0], seen["created"][2]}
    assert seen["images"] == 0
    assert seen["gone"]["status"] == 404


def test_user_metadata_can_be_replaced_merged_and_cleared(scripted, media):
    sdk = scripted.sdk()
    asset_id = scripted.asset(media.clip)
    sdk.assets.replace_user_metadata(asset_id, user_metadata={"a": "1", "b": 2})
    assert sdk.assets.retrieve(asset_id).user_metadata == {"a": "1", "b": 2}
    sdk.assets.update_user_metadata(asset_id, user_metadata={"b": None, "c": True})
    assert sdk.assets.retrieve(asset_id).user_metadata == {"a": "1", "c": True}
    sdk.assets.delete_user_metadata(asset_id)
    assert not sdk.assets.retrieve(asset_id).user_metadata


def test_an_asset_in_use_is_deleted_only_by_force(slow, media):
    sdk = slow.sdk()
    asset_id = slow.asset(media.clip)
    batch = api.create_batch(slow.client, api.general_batch(4, asset_id))
    with pytest.raises(ConflictError) as refused:
        sdk.assets.delete(asset_id)
    assert refused.value.body["code"] == "asset_in_use"
    assert sdk.assets.retrieve(asset_id).status == "ready"

    sdk.assets.delete(asset_id, force=True)
    with pytest.raises(ApiError) as gone:
        sdk.assets.retrieve(asset_id)
    assert gone.value.status_code == 404
    ended = api.wait_for_batch(slow.client, batch["batch_id"])
    assert ended["status"] == "completed"
    lines = api.results_of(slow.client, batch["batch_id"])
    assert {line["error"]["code"] for line in lines if line["status"] == "failed"} == {"asset_unavailable"}
    assert any(line["status"] == "failed" for line in lines)


def test_an_upload_session_by_hand(scripted, media):
    """Chunks in any order, sent twice, reported twice, asked about in between."""
    client = scripted.client
    size = media.large_clip.stat().st_size
    response = client.post("/assets/multipart-uploads", json={"filename": "l.mp4", "type": "video",
                                                              "total_size": size})
    assert response.status_code == 201, response.text
    session = response.json()
    chunk, total = session["chunk_size"], session["total_chunks"]
    assert chunk * total >= size > chunk * (total - 1) and total == 12
    assert [url["chunk_index"] for url in session["upload_urls"]] == list(range(1, total + 1))
    assert client.get(f"/assets/{session['asset_id']}").json()["status"] == "processing"

    data = media.large_clip.read_bytes()
    urls = {url["chunk_index"]: url["url"] for url in session["upload_urls"]}
    more = client.post(f"/assets/multipart-uploads/{session['upload_id']}/presigned-urls",
                       json={"start": 12, "count": 1})
    assert more.status_code == 200 and [u["chunk_index"] for u in more.json()["upload_urls"]] == [12]
    urls[12] = more.json()["upload_urls"][0]["url"]
    api.check_error(client.post(f"/assets/multipart-uploads/{session['upload_id']}/presigned-urls",
                                json={"start": 12, "count": 2}), 400)

    def put(index: int) -> str:
        # No key: the URL is the right to write.
        response = httpx.put(urls[index], content=data[(index - 1) * chunk:index * chunk], trust_env=False,
                             headers={"content-type": "application/octet-stream"}, timeout=60)
        assert response.status_code // 100 == 2, response.text
        etag = response.headers["etag"]
        assert etag.startswith('"') and etag.endswith('"')
        return etag.strip('"')

    def proof(index: int, etag: str) -> dict:
        return {"chunk_index": index, "proof": etag, "proof_type": "etag",
                "chunk_size": len(data[(index - 1) * chunk:index * chunk])}

    def report(*chunks: dict) -> httpx.Response:
        return client.post(f"/assets/multipart-uploads/{session['upload_id']}", json={"completed_chunks": list(chunks)})

    def status() -> dict:
        response = client.get(f"/assets/multipart-uploads/{session['upload_id']}", params={"page_limit": 50})
        assert response.status_code == 200, response.text
        return response.json()

    etags = {index: put(index) for index in (7, 1)}
    assert put(7) == etags[7], "the same bytes have the same tag"
    before = status()
    assert before["status"] == "active" and before["chunks_completed"] == 0
    assert [entry["index"] for entry in before["uploaded_chunks"]] == list(range(1, 13)), "pending chunks are listed"

    api.check_error(report(proof(7, etags[7]), {**proof(1, etags[1]), "proof": "0" * 32}), 400, "parameter_invalid")
    assert status()["chunks_completed"] == 0, "nothing of a refused report counts"
    api.check_error(report(proof(2, etags[1])), 400, "parameter_invalid")
    api.check_error(report({**proof(1, etags[1]), "chunk_index": 13}), 400, "parameter_invalid")

    first = report(proof(7, etags[7]), proof(1, etags[1]))
    assert first.status_code == 200, first.text
    assert (first.json()["processed_chunks"], first.json()["duplicate_chunks"], first.json()["total_completed"]) == \
        (2, 0, 2)
    assert not first.json().get("url"), "a URL before the last chunk would stop the clients"
    again = report(proof(7, etags[7]))
    assert (again.json()["processed_chunks"], again.json()["duplicate_chunks"]) == (0, 1)
    listed = client.get("/assets/multipart-uploads").json()["data"]
    assert [entry["upload_id"] for entry in listed] == [session["upload_id"]]

    for index in range(1, 13):
        if index not in etags:
            etags[index] = put(index)
    last = report(*[proof(index, etags[index]) for index in range(1, 13)])
    assert last.status_code == 200 and last.json()["total_completed"] == 12 and last.json()["url"], last.text
    asset = api.settled_asset(client, session["asset_id"])
    assert asset["status"] == "ready" and asset["size"] == size
    assert status()["status"] == "completed"
    assert client.get("/assets/multipart-uploads").json()["data"] == []


def test_sdk_calls_on_uploads_raise_typed_errors(scripted):
    sdk = scripted.sdk()
    with pytest.raises(BadRequestError):
        sdk.multipart_upload.create(filename="a.mp4", type="video", total_size=0)
    with pytest.raises(BadRequestError):
        sdk.assets.create(method="direct")
    with pytest.raises(BadRequestError):
        sdk.assets.create(method="url")
    with pytest.raises(BadRequestError):
        sdk.assets.list(page_limit=51)
