"""Large batches coming in, through each vendor's API."""
import hashlib
import json
import pathlib
import re
import shutil
import threading

from harness import PAIRS, anonymous_mib, call, curl, nginx, peak_of_anonymous_memory, row, sheaf, wait_until_ended


INGEST_ITEMS = 100_000
INGEST_BYTES = 236_000_000


class Ingest:
    """One dialect's way to create a batch of INGEST_ITEMS requests in about INGEST_BYTES."""

    def __init__(self, folder, port, key):
        self.url, self.file = f"http://127.0.0.1:{port}", folder / f"{self.name}.json"
        self.key = ["-H", f"Authorization: Bearer {key}"]

    def write_body(self):
        empty = len(self.request(0, "")) + 1
        text = "lorem ipsum " * (INGEST_BYTES // INGEST_ITEMS // 12 + 1)
        text = text[:INGEST_BYTES // INGEST_ITEMS - empty]
        with self.file.open("w") as out:
            out.write(self.opening)
            for number in range(INGEST_ITEMS):
                out.write((self.separator if number else "") + self.request(number, text))
            out.write(self.closing)


class AnthropicIngest(Ingest):
    name, opening, separator, closing = "anthropic", '{"requests":[', ",", "]}"

    def request(self, number, text):
        return json.dumps({"custom_id": f"item-{number:06}", "params": {"model": "practice", "max_tokens": 16, "messages": [
            {"role": "user", "content": text}]}}, separators=(",", ":"))

    def sent(self):
        return ["--data-binary", f"@{self.file}", "-H", "Content-Type: application/json"]

    def create(self):
        seconds, body = curl(*self.sent(), *self.key, self.url + "/v1/messages/batches")
        return seconds, json.loads(body)["id"]


class SailIngest(AnthropicIngest):
    name, opening = "sail", '{"endpoint":"/v1/responses","requests":['

    def request(self, number, text):
        return json.dumps({"custom_id": f"item-{number:06}", "params": {"model": "practice", "input": text}}, separators=(",", ":"))

    def create(self):
        seconds, body = curl(*self.sent(), *self.key, self.url + "/sail/v1/batches")
        return seconds, json.loads(body)["id"]


class OpenAIIngest(Ingest):
    name, opening, separator, closing = "openai", "", "\n", "\n"

    def request(self, number, text):
        return json.dumps({"custom_id": f"item-{number:06}", "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": "practice", "messages": [{"role": "user", "content": text}]}}, separators=(",", ":"))

    def sent(self):
        return ["-F", f"file=@{self.file}", "-F", "purpose=batch"]

    def create(self):
        upload, body = curl(*self.sent(), *self.key, self.url + "/v1/files")
        asked = json.dumps({"input_file_id": json.loads(body)["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"})
        create, body = curl("--data-binary", asked, "-H", "Content-Type: application/json", *self.key, self.url + "/v1/batches")
        return upload + create, json.loads(body)["id"]


INGEST_CONFIG = """
[openai]
batch_lines_max = 100000
batch_file_bytes_max = 268435456
[[model]]
name = "practice"
backend = "scripted"
answer = "answer for {custom_id}"
concurrency = 256
"""


def results_digest(port, key, batch):
    """Of the result lines as they are: how many, of how many names, and the hash of their bytes."""
    body, _ = call(port, key, "GET", f"/sheaf/v1/batches/{batch}/results")
    lines = body.decode().splitlines()
    return len(lines), len(set(re.findall(r"item-\d{6}", body.decode()))), hashlib.sha256(body).hexdigest()


def bench_ingest(build, folder):
    """100,000 requests in 236 MB through each dialect, against nginx storing the same body; and what it costs in memory.

    Sheaf on core 0, curl on the last core. Every batch then runs to its end, and its results must be complete and the
    same on every read.
    """
    rows = []
    (folder / "html").mkdir()
    for kind in (AnthropicIngest, OpenAIIngest, SailIngest):
        ours, theirs, grown = [], [], []
        with sheaf(build, folder / kind.name, INGEST_CONFIG, core=0) as (process, port, key), \
                nginx(folder / f"nginx-{kind.name}", folder / "html") as nginx_port:
            ingest = kind(folder, port, key)
            ingest.write_body()
            for _ in range(PAIRS):
                status = pathlib.Path(f"/proc/{process.pid}/status")
                before, stop, found = anonymous_mib(status), threading.Event(), []
                watcher = threading.Thread(target=peak_of_anonymous_memory, args=(process.pid, stop, found))
                watcher.start()
                seconds, batch = ingest.create()
                stop.set()
                watcher.join()
                ours.append(seconds)
                grown.append(found[0] - before)
                wait_until_ended(port, key, batch)
                first, again = results_digest(port, key, batch), results_digest(port, key, batch)
                if first != again or first[:2] != (INGEST_ITEMS, INGEST_ITEMS):
                    raise SystemExit(f"bench: the results of {kind.name} are not complete or not stable: {first} {again}")
                theirs.append(curl(*ingest.sent(), f"http://127.0.0.1:{nginx_port}/store")[0])
            ingest.file.unlink()
        shutil.rmtree(folder / kind.name)
        rows.append(row(f"{kind.name}: 100,000 requests in 236 MB, against nginx", ours, theirs, "s", 3.0, at_most=True))
        rows.append(row(f"{kind.name}: anonymous memory it takes, against 64 MiB", grown, [64.0] * PAIRS, "MiB", 1.0, at_most=True))
    return rows
