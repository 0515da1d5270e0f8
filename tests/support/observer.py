"""Watches batches from outside, over any number of server lives, and notices whatever may never happen."""

import json

import httpx

import api

ITEM_RANK = {"queued": 0, "processing": 1, "ready": 2, "failed": 2, "canceled": 2}
BATCH_RANK = {"pending": 0, "processing": 1, "canceling": 2, "canceled": 3, "completed": 3, "expired": 3}


class Observer:
    """Remembers the furthest state ever seen of each batch and item, and the bytes of every final line."""

    def __init__(self) -> None:
        self.batches: dict[str, dict] = {}
        self.items: dict[tuple[str, int], str] = {}
        self.final_lines: dict[tuple[str, int], bytes] = {}
        self.looks = 0

    def look(self, client: httpx.Client, batch_id: str) -> dict:
        """One look at the batch and at its results. Raises httpx.TransportError when the server goes away meanwhile."""
        response = client.get(f"/analyze/batches/{batch_id}")
        assert response.status_code == 200, response.text
        batch = response.json()
        results = client.get(f"/analyze/batches/{batch_id}/results")
        assert results.status_code == 200, results.text
        self.note_batch(batch)
        self.note_results(batch, results.content)
        self.looks += 1
        return batch

    def note_batch(self, batch: dict) -> None:
        api.check_batch(batch)
        before = self.batches.get(batch["batch_id"])
        if before is not None:
            assert BATCH_RANK[batch["status"]] >= BATCH_RANK[before["status"]], f"{before}\nbecame\n{batch}"
            for name in ("ready_items", "failed_items", "canceled_items"):
                assert batch[name] >= before[name], f"{before}\nbecame\n{batch}"
            assert batch["queued_items"] <= before["queued_items"], f"{before}\nbecame\n{batch}"
            for name in ("created_at", "expires_at", "total_items", "analysis_mode", "model_name"):
                assert batch[name] == before[name], f"{before}\nbecame\n{batch}"
            if before["status"] in api.TERMINAL:
                assert batch == before
        self.batches[batch["batch_id"]] = batch

    def note_results(self, batch: dict, body: bytes) -> None:
        assert body.isascii() and body.endswith(b"\n")
        lines = [line for line in body.split(b"\n") if line]
        assert len(lines) == batch["total_items"], f"{len(lines)} lines for {batch}"
        for index, text in enumerate(lines):
            at = (batch["batch_id"], index)
            line = json.loads(text)
            api.check_line(line)
            status, before = line["status"], self.items.get(at, "queued")
            assert ITEM_RANK[status] >= ITEM_RANK[before], f"item {index}: {before} became {status}"
            self.items[at] = status
            if status in api.TERMINAL_ITEMS:
                assert self.final_lines.setdefault(at, text) == text, f"item {index}: a final line changed"
        final = sum(json.loads(text)["status"] in api.TERMINAL_ITEMS for text in lines)
        assert final >= batch["ready_items"] + batch["failed_items"] + batch["canceled_items"], \
            "results are read after the batch, so they are never behind it"
