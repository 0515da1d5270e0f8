"""Shorthands for the API as tests speak it over plain HTTP, and waiting for what it promises."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import httpx

ACTIVE = {"pending", "processing", "canceling"}
TERMINAL = {"completed", "canceled", "expired"}
TERMINAL_ITEMS = {"ready", "failed", "canceled"}
COUNTERS = ["queued_items", "processing_items", "ready_items", "failed_items", "canceled_items"]
NO_SUCH_ID = "0123456789abcdef01234567"

T = TypeVar("T")


def wait_for(probe: Callable[[], T], *, timeout_s: float = 60, every_s: float = 0.03, what: str = "it") -> T:
    """The first true value of `probe`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s} s; last seen: {value!r}"
        time.sleep(every_s)


def upload(client: httpx.Client, path: Path, **fields: str) -> dict:
    with open(path, "rb") as file:
        response = client.post("/assets", data={"method": "direct", **fields}, files={"file": (path.name, file)})
    assert response.status_code == 201, response.text
    return response.json()


def settled_asset(client: httpx.Client, asset_id: str) -> dict:
    """The asset's details once it is no longer processing."""
    def probe() -> dict | None:
        response = client.get(f"/assets/{asset_id}")
        assert response.status_code == 200, response.text
        return response.json() if response.json()["status"] != "processing" else None

    return wait_for(probe, what=f"asset {asset_id} leaving 'processing'")


def ready_asset(client: httpx.Client, path: Path, **fields: str) -> str:
    asset = settled_asset(client, upload(client, path, **fields)["_id"])
    assert asset["status"] == "ready", asset
    return asset["_id"]


def video(asset_id: str) -> dict:
    return {"type": "asset_id", "asset_id": asset_id}


def general_batch(requests: Sequence[dict] | int, asset_id: str | None = None, *, prompt: str | None = "What happens?",
                  **extra: object) -> dict:
    """A create body; `requests` is the list itself, or how many items to make on `asset_id`."""
    if isinstance(requests, int):
        assert asset_id is not None
        requests = [{"video": video(asset_id), "custom_id": f"item-{i:04d}"} for i in range(requests)]
    body: dict = {"model_name": "pegasus1.5", "analysis_mode": "general", "requests": list(requests)}
    if prompt is not None:
        body["defaults"] = {"prompt": {"input_text": prompt}}
    body.update(extra)
    return body


def create_batch(client: httpx.Client, body: dict, **headers: str) -> dict:
    response = client.post("/analyze/batches", json=body, headers=headers)
    assert response.status_code == 201, response.text
    return response.json()


def batch_of(client: httpx.Client, batch_id: str) -> dict:
    response = client.get(f"/analyze/batches/{batch_id}")
    assert response.status_code == 200, response.text
    batch = response.json()
    check_batch(batch)
    return batch


def wait_for_batch(client: httpx.Client, batch_id: str, statuses: set[str] = frozenset(TERMINAL), *,
                   timeout_s: float = 90) -> dict:
    return wait_for(lambda: (b := batch_of(client, batch_id))["status"] in statuses and b or None, timeout_s=timeout_s,
                    what=f"batch {batch_id} becoming one of {sorted(statuses)}")


def check_batch(batch: dict) -> None:
    """What holds of every batch object at every moment."""
    assert sum(batch[name] for name in COUNTERS) == batch["total_items"], batch
    moments = {"completed": "completed_at", "canceled": "canceled_at", "expired": "expired_at"}
    for status, name in moments.items():
        assert (name in batch) == (batch["status"] == status), batch
    if batch["status"] in TERMINAL:
        assert batch["queued_items"] == 0 and batch["processing_items"] == 0, batch
    if batch["status"] == "pending":
        assert batch["queued_items"] == batch["total_items"], batch


def raw_results(client: httpx.Client, batch_id: str) -> bytes:
    response = client.get(f"/analyze/batches/{batch_id}/results")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].split(";")[0] == "application/jsonl"
    return response.content


def parse_results(body: bytes) -> list[dict]:
    """The lines, after checking what both client libraries need of their framing."""
    assert body.isascii(), "a results body must be pure ASCII"
    assert body.endswith(b"\n"), "the last line must end"
    assert b"\r" not in body
    lines = [json.loads(line) for line in body.split(b"\n") if line]
    for line in lines:
        check_line(line)
    return lines


def check_line(line: dict) -> None:
    assert "custom_id" in line and line["task_id"], line
    assert ("data" in line) == (line["status"] == "ready"), line
    assert ("error" in line) == (line["status"] == "failed"), line
    if "data" in line:
        data = line["data"]
        assert isinstance(data["data"], str) and data["generation_id"] and data["finish_reason"] in ("stop", "length")
        assert isinstance(data["usage"]["output_tokens"], int) and data["usage"]["output_tokens"] >= 0, line
    if "error" in line:
        assert line["error"]["message"], line


def results_of(client: httpx.Client, batch_id: str) -> list[dict]:
    return parse_results(raw_results(client, batch_id))


def check_error(response: httpx.Response, status: int, code: str | None = None) -> dict:
    """An error must be JSON in both envelopes at once, with the same code."""
    assert response.status_code == status, f"{response.status_code} instead of {status}: {response.text[:2000]}"
    assert response.headers["content-type"].split(";")[0] == "application/json", response.headers
    body = response.json()
    assert body["code"] == body["error"]["code"] and body["message"] and body["error"]["message"], body
    if code is not None:
        assert body["code"] == code, body
    return body


def count_batches(client: httpx.Client) -> int:
    response = client.get("/analyze/batches")
    assert response.status_code == 200, response.text
    return response.json()["page_info"]["total_results"]


def files_below(directory: Path) -> dict[str, int]:
    """Every file and its size, for seeing that nothing was left behind."""
    return {str(path.relative_to(directory)): path.stat().st_size for path in sorted(directory.rglob("*"))
            if path.is_file()}
