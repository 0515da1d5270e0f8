"""Clients of the three batch APIs for text models, written from their vendors' pages with plain HTTP."""

import json
from dataclasses import dataclass, field

import httpx

from api import wait_for
from protocols import Chat, Messages, Responses
from sheaf_server import SheafServer

BATCH_TIME_S = 120


@dataclass
class Outcome:
    """Answers of the items that were answered, and the errors of those that failed, by custom_id."""

    answers: dict[str, dict] = field(default_factory=dict)
    errors: dict[str, dict] = field(default_factory=dict)


def checked(response: httpx.Response) -> httpx.Response:
    assert response.status_code == 200, f"{response.request.method} {response.request.url}: " \
                                        f"{response.status_code} {response.text[:2000]}"
    return response


def client_of(server: SheafServer, headers: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False)


class OpenAI:
    protocol = Chat

    def __init__(self, server: SheafServer, key: str) -> None:
        self.client = client_of(server, {"authorization": f"Bearer {key}"})

    def run(self, requests: dict[str, dict]) -> Outcome:
        lines = [{"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
                 for custom_id, body in requests.items()]
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        file = checked(self.client.post("/v1/files", data={"purpose": "batch"},
                                        files={"file": ("input.jsonl", content)})).json()
        batch = checked(self.client.post("/v1/batches", json={
            "input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"})).json()

        def ended() -> dict | None:
            now = checked(self.client.get(f"/v1/batches/{batch['id']}")).json()
            return now if now["status"] in ("completed", "failed", "expired", "cancelled") else None

        batch = wait_for(ended, timeout_s=BATCH_TIME_S, what=f"the end of {batch['id']}")
        assert batch["status"] == "completed", batch
        outcome = Outcome()
        for line in self.lines(batch["output_file_id"]):
            assert line["error"] is None and line["response"]["status_code"] == 200, line
            outcome.answers[line["custom_id"]] = line["response"]["body"]
        for line in self.lines(batch["error_file_id"]):
            assert line["error"] is None and line["response"]["status_code"] >= 400, line
            outcome.errors[line["custom_id"]] = line["response"]["body"]["error"]
        assert batch["request_counts"] == {"total": len(requests), "completed": len(outcome.answers),
                                           "failed": len(outcome.errors)}, batch
        return outcome

    def lines(self, file_id: str | None) -> list[dict]:
        if file_id is None:
            return []
        content = checked(self.client.get(f"/v1/files/{file_id}/content")).content
        return [json.loads(line) for line in content.split(b"\n") if line]


class Anthropic:
    protocol = Messages

    def __init__(self, server: SheafServer, key: str) -> None:
        self.client = client_of(server, {"x-api-key": key, "anthropic-version": "2023-06-01"})

    def run(self, requests: dict[str, dict]) -> Outcome:
        batch = checked(self.client.post("/v1/messages/batches", json={"requests": [
            {"custom_id": custom_id, "params": params} for custom_id, params in requests.items()]})).json()

        def ended() -> dict | None:
            now = checked(self.client.get(f"/v1/messages/batches/{batch['id']}")).json()
            return now if now["processing_status"] == "ended" else None

        batch = wait_for(ended, timeout_s=BATCH_TIME_S, what=f"the end of {batch['id']}")
        outcome = Outcome()
        content = checked(self.client.get(batch["results_url"])).content
        for line in (json.loads(line) for line in content.split(b"\n") if line):
            result = line["result"]
            if result["type"] == "succeeded":
                message = result["message"]
                assert message["id"].startswith("msg_") and message["usage"]["service_tier"] == "batch", line
                outcome.answers[line["custom_id"]] = message
            else:
                assert result["type"] == "errored" and result["error"]["type"] == "error", line
                outcome.errors[line["custom_id"]] = result["error"]["error"]
        assert batch["request_counts"] == {"processing": 0, "succeeded": len(outcome.answers),
                                           "errored": len(outcome.errors), "canceled": 0, "expired": 0}, batch
        return outcome


class Sail:
    protocol = Responses

    def __init__(self, server: SheafServer, key: str) -> None:
        self.client = client_of(server, {"authorization": f"Bearer {key}"})

    def run(self, requests: dict[str, dict]) -> Outcome:
        batch = checked(self.client.post("/sail/v1/batches", json={"endpoint": "/v1/responses", "requests": [
            {"custom_id": custom_id, "params": params} for custom_id, params in requests.items()]})).json()
        assert batch["request_counts"] == len(requests), batch

        def ended() -> dict | None:
            now = checked(self.client.get(f"/sail/v1/batches/{batch['id']}")).json()["request_status"]
            assert list(now) == list(requests), now
            return now if all(item["status"] in ("COMPLETED", "FAILED", "CANCELLED") for item in now.values()) else None

        status = wait_for(ended, timeout_s=BATCH_TIME_S, what=f"the end of {batch['id']}")
        outcome = Outcome()
        for custom_id in requests:
            item = checked(self.client.get(f"/sail/v1/batches/{batch['id']}/{custom_id}")).json()
            assert item["status"].upper() == status[custom_id]["status"], item
            if item["status"] == "completed":
                outcome.answers[custom_id] = item
            else:
                assert item["status"] == "failed" and item["output"] == [], item
                outcome.errors[custom_id] = item["error"]
        return outcome


DIALECTS = {"openai": OpenAI, "anthropic": Anthropic, "sail": Sail}
