"""A finished batch's receipt: the same bytes every time, and what was done to its results is found and named."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import api
from owner import Owner, lines_of
from sheaf_server import SheafServer

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "api" / "sheaf.md"


@pytest.fixture(scope="module")
def owner(binary, tmp_path_factory):
    models = [{"name": name, "backend": "scripted", "answer": "caf\u00e9 \u2028 for {custom_id}", "delay_ms": 1,
               "concurrency": 8} for name in ("practice", "pegasus1.5")]
    server = SheafServer(binary, tmp_path_factory.mktemp("receipt"), models=models).start()
    yield Owner(server)
    assert server.stop() == 0, server.log()


def ended(owner: Owner, items: int = 20, dialect: str = "sail", text: str = "Hello") -> str:
    batch_id = owner.create(items, dialect, text)
    owner.wait_until_ended(batch_id)
    return batch_id


def receipt_of(owner: Owner, batch_id: str) -> bytes:
    with owner.http() as client:
        answer = client.get(f"/sheaf/v1/batches/{batch_id}/receipt")
        assert answer.status_code == 200, answer.text
        return answer.content


def saved(owner: Owner, batch_id: str, folder: Path) -> tuple[Path, Path]:
    """The receipt and the results, as the commands write them."""
    receipt, results = folder / "receipt.jsonl", folder / "results.jsonl"
    for arguments in (("receipt", batch_id, "-o", receipt), ("results", batch_id, "-o", results)):
        done = owner.run(*arguments)
        assert done.returncode in (0, 1), done
    return receipt, results


@pytest.fixture(scope="module")
def python_verifier(tmp_path_factory):
    """The verifier that the documentation shows."""
    block = re.search(r"```python\n(import hashlib.*?)```", DOCS.read_text(), re.DOTALL).group(1)
    assert len(block.splitlines()) <= 12
    path = tmp_path_factory.mktemp("verifier") / "verify.py"
    path.write_text(block)

    def verify(receipt: Path, *results: Path) -> int:
        return subprocess.run([sys.executable, str(path), str(receipt), *map(str, results)],
                              capture_output=True).returncode

    return verify


@pytest.mark.parametrize("dialect", ["sail", "openai", "anthropic"])
def test_untouched_results_of_every_dialect_are_good(owner, dialect, tmp_path, python_verifier):
    batch_id = ended(owner, 20, dialect)
    receipt, results = saved(owner, batch_id, tmp_path)
    done = owner.run("verify", receipt, results)
    assert done.returncode == 0 and "20 items, each line there once and unchanged" in done.stdout, done
    assert python_verifier(receipt, results) == 0
    followed = tmp_path / "followed.jsonl"
    assert owner.run("results", batch_id, "--follow", "-o", followed).returncode == 0
    assert owner.run("verify", receipt, followed).returncode == 0, "in whatever order they come"
    head, *items, end = map(json.loads, lines_of(receipt.read_bytes()))
    assert head["counts"] == {"total": 20, "succeeded": 20, "failed": 0, "canceled": 0, "expired": 0}
    assert [item["custom_id"] for item in items] == [f"c{n:04d}" for n in range(20)]
    assert set(end) == {"receipt_sha256"}


def test_the_vendors_own_files_are_good_too(owner, tmp_path, python_verifier):
    batch_id = owner.create(60, "openai", text="{name}\nsheaf:delay 300")
    owner.wait_until_done(batch_id, 3)
    with owner.http() as client:
        client.post(f"/v1/batches/{batch_id}/cancel")
        owner.wait_until_ended(batch_id)
        batch = api.wait_for(lambda: (b := client.get(f"/v1/batches/{batch_id}").json())["error_file_id"] and b,
                             what="its files")
        files = []
        for name in ("output_file_id", "error_file_id"):
            files.append(tmp_path / name)
            files[-1].write_bytes(client.get(f"/v1/files/{batch[name]}/content").content)
    receipt, results = saved(owner, batch_id, tmp_path)
    assert owner.run("verify", receipt, *files).returncode == 0
    assert owner.run("verify", receipt, results).returncode == 0
    assert python_verifier(receipt, *files) == 0
    alone = owner.run("verify", receipt, files[0])
    assert alone.returncode == 1 and alone.stdout.count("missing: ") == len(lines_of(files[1].read_bytes()))
    anthropic_id = ended(owner, 5, "anthropic")
    with owner.http() as client:
        own = client.get(f"/v1/messages/batches/{anthropic_id}/results", headers={"anthropic-version": "2023-06-01"})
    files[0].write_bytes(own.content)
    assert owner.run("verify", saved(owner, anthropic_id, tmp_path)[0], files[0]).returncode == 0


def test_results_of_videos_are_good(owner, account_of, media, tmp_path):
    account = account_of(owner.server)
    batch = api.create_batch(account.client, api.general_batch(4, account.asset(media.clip)))
    api.wait_for_batch(account.client, batch["batch_id"])
    receipt, results = tmp_path / "receipt.jsonl", tmp_path / "results.jsonl"
    receipt.write_bytes(account.client.get(f"{owner.server.url}/sheaf/v1/batches/{batch['batch_id']}/receipt").content)
    results.write_bytes(api.raw_results(account.client, batch["batch_id"]))
    assert owner.run("verify", receipt, results).returncode == 0


def test_what_was_done_to_results_is_named(owner, tmp_path, python_verifier):
    batch_id = ended(owner)
    receipt, results = saved(owner, batch_id, tmp_path)
    lines = lines_of(results.read_bytes())
    assert len(lines) == 20

    def verify(changed: list[bytes]) -> list[str]:
        results.write_bytes(b"".join(line + b"\n" for line in changed))
        done = owner.run("verify", receipt, results)
        assert done.returncode == 1, done
        assert python_verifier(receipt, results) == 1
        return [finding.split(" (")[0] for finding in done.stdout.splitlines()]

    at = lines[7].index(b"for c0007")
    flipped = lines[7][:at] + bytes([lines[7][at] ^ 1]) + lines[7][at + 1:]
    assert verify(lines[:7] + [flipped] + lines[8:]) == ["changed: c0007"]
    assert verify(lines[:3] + lines[4:]) == ["missing: c0003"]
    assert verify(lines + [lines[5]]) == ["doubled: c0005"]
    assert verify(lines + [lines[0].replace(b"c0000", b"other")]) == [f"foreign: line 21 of {results}"]
    assert verify([lines[19][:-1], *lines[:3], *lines[4:19], lines[5]]) == [
        "missing: c0003", "doubled: c0005", "missing: c0019", f"foreign: line 1 of {results}"]
    other = saved(owner, ended(owner), tmp_path)[1].read_bytes()
    receipt.write_bytes(receipt_of(owner, batch_id))
    assert len(verify(lines_of(other))) == 20


def test_standard_input_and_broken_receipts(owner, tmp_path, python_verifier):
    receipt, results = saved(owner, ended(owner, 3), tmp_path)
    binary = str(owner.server.binary)
    piped = subprocess.run([binary, "verify", str(receipt), "-"], input=results.read_bytes(), capture_output=True)
    assert piped.returncode == 0 and b"3 items" in piped.stdout, piped
    sound = receipt.read_bytes()
    for broken in (sound.replace(b"c0001", b"c0009"), sound[:-30], b"", sound.split(b"\n", 1)[1]):
        receipt.write_bytes(broken)
        done = owner.run("verify", receipt, results)
        assert done.returncode == 1 and "cannot be relied on" in done.stderr, (broken, done)
        assert python_verifier(receipt, results) == 1
    assert owner.run("verify", tmp_path / "none", results).returncode == 2
    assert owner.run("verify", receipt).returncode == 2, "results are needed"


def test_a_receipt_is_the_same_after_a_kill_and_gone_with_the_batch(make_server, tmp_path):
    owner = Owner(make_server(models=[{"name": "practice", "backend": "scripted", "delay_ms": 5, "concurrency": 4}]))
    running = owner.create(4, text="sheaf:delay 5000")
    with owner.http() as client:
        early = client.get(f"/sheaf/v1/batches/{running}/receipt")
    assert early.status_code == 409 and early.json()["error"]["code"] == "conflict"
    done = owner.run("receipt", running)
    assert done.returncode == 5 and "has not ended" in done.stderr, done
    with owner.http() as client:
        client.post(f"/sheaf/v1/batches/{running}/cancel")
    batch_id = ended(owner, 50)
    receipt = receipt_of(owner, batch_id)
    owner.server.kill()
    owner.server.start()
    assert receipt_of(owner, batch_id) == receipt
    assert owner.run("receipt", batch_id).stdout.encode() == receipt
    with owner.http() as client:
        assert client.delete(f"/sheaf/v1/batches/{batch_id}").status_code == 204
        assert client.get(f"/sheaf/v1/batches/{batch_id}/receipt").status_code == 404
