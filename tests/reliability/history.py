"""What a client did and saw, one JSON object a line: what the checker judges a server by.

Each operation is written twice. `invoke` before it is sent; then `ok` with what was answered, `refused` with a status that
says why not, or `unknown` when no whole answer came: then it may have happened or not. Times are of the monotonic clock,
which the ledger of the model server shares.
"""
import hashlib
import json
import re
import threading
import time
from pathlib import Path

import httpx

ANSWER = re.compile(rb"This is an answer to (item-[0-9]+)(?: by (\w+))?")
CANARY = re.compile(rb"canary-[a-z]+-[0-9a-f]+")
HEADERS_OF_A_MOMENT = {"date", "x-request-id", "request-id", "content-length", "openai-processing-ms"}


class Gone(Exception):
    """The server did not answer; what was asked is unknown."""


class History:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.lock = threading.Lock()  # several clients may write
        self.secrets: dict[str, str] = {}  # by what they are; they are looked for in every answer

    def write(self, phase: str, op: str, number: int, **members: object) -> None:
        with self.lock, self.path.open("a") as out:
            out.write(json.dumps({"t": time.monotonic(), "phase": phase, "op": op, "number": number, **members}) + "\n")

    def next_number(self) -> int:
        with self.lock:
            self.count += 1
            return self.count

    def mark(self, op: str, **members: object) -> int:
        """Something that the harness did or found: a kill, a start, that all had time to end. Its number."""
        number = self.next_number()
        self.write("ok", op, number, **members)
        return number

    def secrets_in(self, content: bytes) -> list[str]:
        return [name for name, secret in self.secrets.items() if secret.encode() in content]

    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


class Client:
    """One account's client of one life of a server, whose every call goes into the history; of several servers, with the name of its own.

    `canary` is in all that the account hands over.
    """

    def __init__(self, history: History, url: str, key: str, account: str = "anna", canary: str = "", node: str = "",
                 timeout_s: float = 30) -> None:
        self.history, self.canary = history, canary
        self.who = {"account": account, "node": node}
        self.http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False,
                                 headers={"x-api-key": key, "authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"})

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(self, op: str, method: str, path: str, asked: dict, see=None, **options: object) -> dict | None:
        """What `see` makes of a good answer; None when it was refused. Raises Gone."""
        number = self.history.next_number()
        asked = {**self.who, **asked}
        self.history.write("invoke", op, number, **asked)
        try:
            answer = self.http.request(method, path, **options)
        except httpx.TransportError as error:
            self.history.write("unknown", op, number, why=type(error).__name__, **asked)
            raise Gone from error
        asked |= self.marks_in(answer)
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

    def marks_in(self, answer: httpx.Response) -> dict:
        """The canaries and secrets in any byte of it."""
        content = str(answer.headers).encode() + answer.content
        canaries, secrets = sorted({found.decode() for found in CANARY.findall(content)}), self.history.secrets_in(content)
        return ({"canaries": canaries} if canaries else {}) | ({"secrets": secrets} if secrets else {})

    def create(self, dialect: str, items: list[str], method_path: str, key: str | None = None, **options: object) -> str | None:
        headers = {"idempotency-key": key} if key else {}
        seen = self.call("create", "POST", method_path, {"items": items, "key": key, "dialect": dialect},
                         lambda answer: {"batch": answer.json()["batch_id" if dialect == "twelvelabs" else "id"]},
                         headers=headers, **options)
        return seen and seen["batch"]

    def prompt(self, item: str, faults: dict[str, str] | None = None) -> str:
        """`faults`: by item, what the model server does to it."""
        fault = (faults or {}).get(item)
        return f"Say it. id={item}" + (f" {self.canary}" if self.canary else "") + (f" fault={fault}" if fault else "")

    def create_anthropic(self, items: list[str], faults: dict[str, str] | None = None,
                         model_of: dict[str, str] | None = None) -> str | None:
        """`model_of`: the models of items that are not to go to "m"."""
        requests = [{"custom_id": item, "params": {"model": (model_of or {}).get(item, "m"), "max_tokens": 16, "messages": [
            {"role": "user", "content": self.prompt(item, faults)}]}} for item in items]
        return self.create("anthropic", items, "/v1/messages/batches", json={"requests": requests})

    def create_sail(self, items: list[str], key: str | None, faults: dict[str, str] | None = None,
                    metadata: dict[str, dict] | None = None) -> str | None:
        """`metadata`: by item, such as where it wants to be told."""
        requests = [{"custom_id": item, "params": {"model": "m", "input": self.prompt(item, faults)} |
                     ({"metadata": metadata[item]} if metadata and item in metadata else {})} for item in items]
        return self.create("sail", items, "/sail/v1/batches", key, json={"endpoint": "/v1/responses", "requests": requests})

    def upload_openai(self, items: list[str], faults: dict[str, str] | None = None) -> str | None:
        """The file that they are in."""
        lines = "".join(json.dumps({"custom_id": item, "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": "m", "messages": [{"role": "user", "content": self.prompt(item, faults)}]}}) + "\n" for item in items)
        made = self.call("upload", "POST", "/v1/files", {}, lambda answer: {"file": answer.json()["id"]}, data={"purpose": "batch"},
                         files={"file": (f"asked-{self.canary}.jsonl", lines.encode())})
        return made and made["file"]

    def create_openai(self, items: list[str], key: str | None = None, faults: dict[str, str] | None = None,
                      file: str | None = None) -> str | None:
        """`file`: where the items are already; for a create that is asked again."""
        file = file or self.upload_openai(items, faults)
        return file and self.create("openai", items, "/v1/batches", key, json={
            "input_file_id": file, "completion_window": "24h", "endpoint": "/v1/chat/completions"})

    def create_twelvelabs(self, items: list[str], asset: str, key: str | None = None, faults: dict[str, str] | None = None) -> str | None:
        requests = [{"custom_id": item, "video": {"type": "asset_id", "asset_id": asset},
                     "prompt": {"input_text": self.prompt(item, faults)}} for item in items]
        return self.create("twelvelabs", items, "/v1.3/analyze/batches", key, json={
            "model_name": "v", "analysis_mode": "general", "requests": requests})

    def upload_clip(self, path: Path) -> str:
        """The asset that is made of it, when it is ready."""
        with path.open("rb") as file:
            made = self.call("upload", "POST", "/v1.3/assets", {}, lambda answer: {"asset": answer.json()["_id"]},
                             data={"method": "direct"}, files={"file": (f"{self.canary}.mp4", file)})
        path = f"/v1.3/assets/{made['asset']}"
        while self.call("asset", "GET", path, {}, lambda answer: {"is": answer.json()["status"]})["is"] == "processing":
            time.sleep(0.02)
        return made["asset"]

    def look(self, batch: str) -> dict | None:
        return self.call("look", "GET", f"/sheaf/v1/batches/{batch}", {"batch": batch}, lambda answer: {"shown": answer.json()})

    def has_ended(self, batch: str) -> bool:
        """Or is not found."""
        seen = self.look(batch)
        return seen is None or seen["shown"]["state"] == "ended"

    def results(self, batch: str, follow: bool = False) -> dict | None:
        """`follow`: each line as it comes, until the batch has ended."""
        def see(answer: httpx.Response) -> dict:
            return {"lines": [seen_line(text) for text in answer.content.split(b"\n")[:-1]],
                    "is_whole": answer.content == b"" or answer.content.endswith(b"\n")}
        return self.call("results", "GET", f"/sheaf/v1/batches/{batch}/results", {"batch": batch}, see,
                         params={"follow": "true"} if follow else {})

    def cancel(self, batch: str) -> dict | None:
        return self.call("cancel", "POST", f"/sheaf/v1/batches/{batch}/cancel", {"batch": batch})

    def cancel_sail(self, batch: str) -> dict | None:
        """What runs is broken off, too."""
        return self.call("cancel", "POST", f"/sail/v1/batches/{batch}/cancel", {"batch": batch})

    def delete(self, batch: str) -> dict | None:
        return self.call("delete", "DELETE", f"/sheaf/v1/batches/{batch}", {"batch": batch})

    def page_through(self, dialect: str, limit: int, between=lambda: None) -> list[str]:
        """A dialect's own list to its end, by its cursor; `between` is done after each page."""
        path, cursor, rows = {"sheaf": ("/sheaf/v1/batches", "after", "batches"), "openai": ("/v1/batches", "after", "data"),
                              "anthropic": ("/v1/messages/batches", "after_id", "data"),
                              "sail": ("/sail/v1/batches", "before_id", None)}[dialect]
        began, found = time.monotonic(), []
        hint = {"user-agent": "OpenAI/Python 1.0"} if dialect == "openai" else {}
        while True:
            asked = {"limit": limit} | ({cursor: found[-1]} if found else {})
            seen = self.call("page", "GET", path, asked, lambda answer: {"ids": [
                batch["id"] for batch in (answer.json()[rows] if rows else answer.json())]}, params=asked, headers=hint)
            if seen is None or not seen["ids"]:
                break
            found += seen["ids"]
            between()
        self.history.mark("paged", **self.who, list=dialect, ids=found, began=began)
        return found

    def ask_for_anothers(self, method: str, path: str, theirs: str, nobodys: str, when: str) -> None:
        """`ID` in the path stands for another account's id, and then for one that never was."""
        def answer_to(id: str) -> list:
            answer = self.http.request(method, path.replace("ID", id))
            for mark, found in self.marks_in(answer).items():
                marks.setdefault(mark, []).extend(found)
            headers = {name: value for name, value in answer.headers.items() if name not in HEADERS_OF_A_MOMENT}
            body = re.sub(r"req_\w+", "REQUEST", answer.text.replace(id, "ID"))
            return [answer.status_code, headers, body]
        marks: dict[str, list] = {}
        try:
            seen = {"theirs": answer_to(theirs), "nobodys": answer_to(nobodys)}
        except httpx.TransportError as error:
            raise Gone from error
        self.history.mark("not_yours", **self.who, call=f"{method} {path} {when}", **seen, **marks)

    def list(self, pages_max: int = 1_000_000) -> list[str]:
        found: list[str] = []
        for _ in range(pages_max):
            after = {"after": found[-1]} if found else {}
            seen = self.call("list", "GET", "/sheaf/v1/batches", after, lambda answer: {"page": answer.json()},
                             params={"limit": 100, **after})
            found += [batch["id"] for batch in seen["page"]["batches"]]
            if not seen["page"]["has_more"]:
                break
        return found


def seen_line(text: bytes) -> dict:
    """What the checker wants of a line of results; the nonce is the wicked model's, a task TwelveLabs'."""
    line = json.loads(text)
    said = ANSWER.search(text)
    seen = {"item": line["custom_id"], "hash": hashlib.sha256(text).hexdigest(), "is_good": is_good(line), "is_failed": is_failed(line),
            "says": said and said[1].decode()}
    if said and said[2]:
        seen["nonce"] = said[2].decode()
    if "task_id" in line:
        seen |= {"task": line["task_id"], "task_ended": line["status"]}
    return seen


def is_good(line: dict) -> bool:
    """Of a line of any dialect."""
    if "result" in line:
        return line["result"]["type"] == "succeeded"
    if "response" in line:
        return line["error"] is None and line["response"]["status_code"] == 200
    return line.get("status", "").upper() in ("COMPLETED", "READY")


def is_failed(line: dict) -> bool:
    """Neither good, nor canceled or expired before it ran."""
    if "result" in line:
        return line["result"]["type"] == "errored"
    if "response" in line:
        return not is_good(line) and (line["error"] or {}).get("code") not in ("batch_cancelled", "batch_expired")
    return line.get("status", "").upper() == "FAILED"
