"""One account that submits text batches by any vendor's calls and runs the client commands, also while its server is
started anew."""

import json
import os
import subprocess

import httpx

import api
from sheaf_server import SheafServer


def lines_of(body: bytes) -> list[bytes]:
    """Without their ends."""
    assert body == b"" or body.endswith(b"\n")
    return body.split(b"\n")[:-1]


class Owner:
    def __init__(self, server: SheafServer) -> None:
        self.server = server
        self.key = server.create_key("owner").key

    def http(self, timeout_s: float = 30) -> httpx.Client:
        return httpx.Client(base_url=self.server.url, headers={"authorization": f"Bearer {self.key}"},
                            trust_env=False, timeout=timeout_s)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SHEAF_SERVER": self.server.url, "SHEAF_API_KEY": self.key}

    def run(self, *arguments: object, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([str(self.server.binary), *map(str, arguments)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout_s, env=self.environment())
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        return done

    def start(self, *arguments: object) -> subprocess.Popen:
        return subprocess.Popen([str(self.server.binary), *map(str, arguments)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, env=self.environment())

    def create(self, items: int, dialect: str = "sail", text: str = "Hello from {name}") -> str:
        """`{name}` in the text becomes the item's, so that items share no beginning."""
        texts = {name: text.replace("{name}", name) for name in (f"c{n:04d}" for n in range(items))}
        with self.http() as client:
            if dialect == "sail":
                made = client.post("/sail/v1/batches", json={"endpoint": "/v1/responses", "requests": [
                    {"custom_id": name, "params": {"model": "practice", "input": said}}
                    for name, said in texts.items()]})
            elif dialect == "anthropic":
                made = client.post("/v1/messages/batches", headers={"anthropic-version": "2023-06-01"}, json={
                    "requests": [{"custom_id": name, "params": {"model": "practice", "max_tokens": 50, "messages": [
                        {"role": "user", "content": said}]}} for name, said in texts.items()]})
            elif dialect == "openai":
                lines = "\n".join(json.dumps({
                    "custom_id": name, "method": "POST", "url": "/v1/chat/completions",
                    "body": {"model": "practice", "messages": [{"role": "user", "content": said}]}})
                    for name, said in texts.items())
                file = client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("in.jsonl", lines)}).json()
                made = client.post("/v1/batches", json={"input_file_id": file["id"], "completion_window": "24h",
                                                        "endpoint": "/v1/chat/completions"})
            else:
                raise AssertionError(dialect)
            assert made.status_code == 200, made.text
            return made.json()["id"]

    def state(self, batch_id: str) -> dict:
        with self.http() as client:
            return client.get(f"/sheaf/v1/batches/{batch_id}").json()

    def wait_until_ended(self, batch_id: str) -> None:
        api.wait_for(lambda: self.state(batch_id)["state"] == "ended", what="the end")

    def wait_until_done(self, batch_id: str, count: int) -> None:
        api.wait_for(lambda: self.state(batch_id)["counts"]["succeeded"] >= count, what=f"{count} results")

    def results(self, batch_id: str) -> list[bytes]:
        with self.http() as client:
            answer = client.get(f"/sheaf/v1/batches/{batch_id}/results")
            assert answer.status_code == 200, answer.text
            return lines_of(answer.content)

    def follow(self, batch_id: str, after: int = 0) -> list[bytes]:
        """To the end, over one connection."""
        with self.http() as client:
            answer = client.get(f"/sheaf/v1/batches/{batch_id}/results", params={"follow": "true", "after": after})
            assert answer.status_code == 200, answer.text
            return lines_of(answer.content)
