"""What a client did and saw, one JSON object a line: what the checker judges a server by.

Each operation is written twice. `invoke` before it is sent; then `ok` with what was answered, `refused` with a status that
says why not, or `unknown` when no whole answer came: then it may have happened or not. Times are of the monotonic clock,
which the ledger of the model server shares.
"""
import hashlib
import json
import re
import time
from pathlib import Path

import httpx

ANSWER = re.compile(rb"This is an answer to (item-[0-9]+)")


class Gone(Exception):
    """The server did not answer; what was asked is unknown."""


class History:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def write(self, phase: str, op: str, number: int, **members: object) -> None:
        entry = {"t": time.monotonic(), "phase": phase, "op": op, "number": number, **members}
        with self.path.open("a") as out:
            out.write(json.dumps(entry) + "\n")

    def mark(self, op: str, **members: object) -> None:
        """Something that the harness did or found: a kill, a start, that all had time to end."""
        self.count += 1
        self.write("ok", op, self.count, **members)


class Client:
    """One client of one server life, whose every call goes into the history."""

    def __init__(self, history: History, url: str, key: str) -> None:
        self.history = history
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False,
                                 headers={"x-api-key": key, "authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"})

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(self, op: str, method: str, path: str, asked: dict, see=None, **options: object) -> object:
        """What `see` makes of a good answer; None when it was refused. Raises Gone."""
        self.history.count += 1
        number = self.history.count
        self.history.write("invoke", op, number, **asked)
        try:
            answer = self.http.request(method, path, **options)
        except httpx.TransportError as error:
            self.history.write("unknown", op, number, why=type(error).__name__, **asked)
            raise Gone from error
        if answer.status_code >= 500:
            self.history.write("unknown", op, number, status=answer.status_code, body=answer.text[:500],
                               retry_after=answer.headers.get("retry-after"), **asked)
            raise Gone
        if answer.status_code >= 300:
            self.history.write("refused", op, number, status=answer.status_code, body=answer.text[:500], **asked)
            return None
        seen = see(answer) if see is not None else {}
        self.history.write("ok", op, number, status=answer.status_code, **asked, **seen)
        return seen

    def create_anthropic(self, items: list[str], model_of: dict[str, str] | None = None) -> str | None:
        """`model_of`: the models of items that are not to go to "m"."""
        requests = [{"custom_id": item, "params": {"model": (model_of or {}).get(item, "m"), "max_tokens": 16, "messages": [
            {"role": "user", "content": f"Say it. id={item}"}]}} for item in items]
        seen = self.call("create", "POST", "/v1/messages/batches", {"items": items, "key": None},
                         lambda answer: {"batch": answer.json()["id"]}, json={"requests": requests})
        return seen and seen["batch"]

    def create_sail(self, items: list[str], key: str) -> str | None:
        requests = [{"custom_id": item, "params": {"model": "m", "input": f"Say it. id={item}"}} for item in items]
        seen = self.call("create", "POST", "/sail/v1/batches", {"items": items, "key": key}, lambda answer: {"batch": answer.json()["id"]},
                         content=json.dumps({"endpoint": "/v1/responses", "requests": requests}),
                         headers={"idempotency-key": key, "content-type": "application/json"})
        return seen and seen["batch"]

    def look(self, batch: str) -> dict | None:
        return self.call("look", "GET", f"/sheaf/v1/batches/{batch}", {"batch": batch}, lambda answer: {"shown": answer.json()})

    def results(self, batch: str) -> dict | None:
        def see(answer: httpx.Response) -> dict:
            lines = []
            for text in answer.content.split(b"\n")[:-1]:
                line = json.loads(text)
                said = ANSWER.search(text)
                lines.append({"item": line["custom_id"], "hash": hashlib.sha256(text).hexdigest(), "is_good": is_good(line),
                              "says": said and said[1].decode()})
            return {"lines": lines, "is_whole": answer.content == b"" or answer.content.endswith(b"\n")}
        return self.call("results", "GET", f"/sheaf/v1/batches/{batch}/results", {"batch": batch}, see)

    def cancel(self, batch: str) -> dict | None:
        return self.call("cancel", "POST", f"/sheaf/v1/batches/{batch}/cancel", {"batch": batch})

    def delete(self, batch: str) -> dict | None:
        return self.call("delete", "DELETE", f"/sheaf/v1/batches/{batch}", {"batch": batch})

    def list(self) -> list[str]:
        found: list[str] = []
        while True:
            after = {"after": found[-1]} if found else {}
            seen = self.call("list", "GET", "/sheaf/v1/batches", after, lambda answer: {"page": answer.json()},
                             params={"limit": 100, **after})
            found += [batch["id"] for batch in seen["page"]["batches"]]
            if not seen["page"]["has_more"]:
                return found


def is_good(line: dict) -> bool:
    """Of a line of Anthropic's or Sail's."""
    if "result" in line:
        return line["result"]["type"] == "succeeded"
    return line.get("status", "").upper() == "COMPLETED"
