"""A bit of a file is flipped while the server is down: whatever bit it is, clients are shown what they saw before, or an error, and
never other bytes."""

import os
import random
import shutil
from pathlib import Path

import httpx
import pytest

import api
from test_rebuild import MODELS, Left, durable_log_bytes, fsck, left  # noqa: F401

SEED = int(os.environ.get("SHEAF_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
FLIPS = int(os.environ.get("SHEAF_TEST_FLIPS", 15))
KINDS = ("bodies", "index.db", "log", "results", "signing.key")
CUT = (0, b"")  # the connection


class Shown:
    """What clients are shown, by what they ask: status and body."""

    def __init__(self, left: Left) -> None:  # noqa: F811
        self.left = left
        self.keys = {"owner": left.owner.key, "videos": left.videos.key}
        self.asked = [(owner, f"/sheaf/v1/batches/{batch}{what}") for batch, owner in left.ended.items()
                      for what in ("", "/results", "/results?follow=true", "/receipt")]
        self.before = self.now()
        assert all(status == 200 for status, _ in self.before.values()), self.before

    def client(self, owner: str) -> httpx.Client:
        return httpx.Client(base_url=self.left.server.url, headers={"authorization": f"Bearer {self.keys[owner]}"}, trust_env=False, timeout=60)

    def ask(self, owner: str, path: str) -> tuple[int, bytes]:
        with self.client(owner) as client:
            try:
                answer = client.get(path)
            except httpx.TransportError:
                return CUT
            return answer.status_code, answer.content

    def now(self) -> dict[str, tuple[int, bytes]]:
        return {path: self.ask(owner, path) for owner, path in self.asked}

    def expect_all_after_repair(self, what: str) -> None:
        """The records have what the index has lost."""
        mended = fsck(self.left.server, self.left.server.data, "--repair")
        assert mended.returncode == 0, (what, mended)
        server = self.left.server
        self.keys = {"owner": server.create_key("owner").key, "videos": server.create_key(self.left.videos.account).key}
        server.start()
        changed = {path: shown for path, shown in self.now().items() if shown != self.before[path]}
        server.kill()
        assert not changed, (what, mended.stdout, changed)

    def others(self) -> list[str]:
        """What is shown now, as if it were right, and was not shown before."""
        return [path for path, shown in self.now().items() if shown[0] == 200 and shown != self.before[path]]


def flip_bit(path: Path, dice: random.Random, below: int | None = None) -> str:
    content = bytearray(path.read_bytes())
    at, bit = dice.randrange(below or len(content)), dice.randrange(8)
    content[at] ^= 1 << bit
    path.write_bytes(content)
    return f"bit {bit} of byte {at} of {path.name}"


@pytest.mark.long
@pytest.mark.timeout(420)
def test_no_flipped_bit_is_served(left):  # noqa: F811
    left.fold_log()
    left.server.start()
    shown = Shown(left)
    left.server.kill()
    left.fold_log()
    shutil.rmtree(left.copy)
    shutil.copytree(left.server.data, left.copy)
    dice = random.Random(SEED)
    wrong, noticed = [], set()
    for number in range(FLIPS):
        data = left.restore()
        kind = KINDS[number % len(KINDS)]
        files = [path for path in data.rglob("*") if path.is_file() and path.stat().st_size > 0 and path.relative_to(data).parts[0] == kind]
        what = flip_bit(dice.choice(files), dice)
        try:
            left.server.start()
        except AssertionError:
            noticed.add(kind)
        else:
            if others := shown.others():
                wrong.append(f"{what}: {others}")
            left.server.kill()
            if fsck(left.server, data).returncode != 0:
                noticed.add(kind)
        if kind == "index.db":
            shown.expect_all_after_repair(what)
    assert not wrong, f"SHEAF_TEST_SEED={SEED}:\n" + "\n".join(wrong)
    assert "results" in noticed, "elsewhere a bit may be of what nobody needs any more"


def test_no_write_ahead_log_that_has_lost_commits_is_taken_over(left):  # noqa: F811
    dice = random.Random(SEED)
    log = left.server.data / "index.db-wal"
    for _ in range(8):
        left.restore()
        what = flip_bit(log, dice, below=durable_log_bytes(left.server.data))
        with pytest.raises(AssertionError, match="lost commits.*sheaf fsck --repair"):
            left.server.start()
            pytest.fail(f"SHEAF_TEST_SEED={SEED}: it starts with {what} flipped")
    mended = fsck(left.server, left.server.data, "--repair")
    assert mended.returncode == 0, mended
    left.expect_all_as_before()


@pytest.mark.timeout(180)
def test_no_uploaded_file_with_a_flipped_bit_is_read(make_server, account_of, media):
    dice = random.Random(SEED)
    server = make_server(models=MODELS)
    account = account_of(server)
    key = {"authorization": f"Bearer {account.key.key}"}
    # So many that the batch shares the file's bytes.
    lines = b"".join(b'{"custom_id": "%d", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "practice", "messages": '
                     b'[{"role": "user", "content": "%s"}]}}\n' % (number, b"x" * 50_000) for number in range(50))
    file = httpx.post(f"{server.url}/v1/files", headers=key, data={"purpose": "batch"}, files={"file": ("in.jsonl", lines)}).json()["id"]
    video = account.asset(media.clip)
    server.kill()
    [stored_file] = (server.data / "blobs/files").iterdir()
    [stored_video] = (server.data / "blobs/assets").iterdir()
    whole = {path: path.read_bytes() for path in (stored_file, stored_video)}
    for _ in range(4):
        what = [flip_bit(path, dice) for path in whole]
        server.start()
        content = httpx.get(f"{server.url}/v1/files/{file}/content", headers=key)
        created = httpx.post(f"{server.url}/v1/batches", headers=key, json={
            "input_file_id": file, "completion_window": "24h", "endpoint": "/v1/chat/completions"})
        assert (content.status_code, created.status_code) == (500, 500), (SEED, what, content.text, created.text)
        assert content.json()["error"]["type"] == created.json()["error"]["type"] == "server_error", (content.text, created.text)
        with server.client(account.key) as client:
            batch = api.create_batch(client, api.general_batch(2, video))["batch_id"]
            assert api.wait_for_batch(client, batch)["failed_items"] == 2, (SEED, what)
            for line in api.parse_results(api.raw_results(client, batch)):
                assert "damaged" in line["error"]["message"], (SEED, what, line)
        server.kill()
        looked = fsck(server, server.data)
        assert looked.returncode == 1 and looked.stdout.count("its bytes are damaged") == 2, (SEED, what, looked)
        for path, content in whole.items():
            path.write_bytes(content)
    server.start()
    assert httpx.get(f"{server.url}/v1/files/{file}/content", headers=key).content == lines
    batch = httpx.post(f"{server.url}/v1/batches", headers=key, json={
        "input_file_id": file, "completion_window": "24h", "endpoint": "/v1/chat/completions"}).json()["id"]
    api.wait_for(lambda: httpx.get(f"{server.url}/v1/batches/{batch}", headers=key).json()["status"] == "completed")
    server.kill()
    looked = fsck(server, server.data)
    assert looked.returncode == 0 and "all is well" in looked.stdout, looked
