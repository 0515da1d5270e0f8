"""Every accepted item has exactly one line at the end, whatever happens to its batch: 1,000 random batches of the three
text dialects, with bad items, cancels, expiries and a model server that fails, breaks off and is overloaded."""

import asyncio
import json
import os
import random
from collections import Counter
from dataclasses import dataclass

import httpx
import pytest

BATCHES = 1000
AT_ONCE = 24
SEED = int(os.environ.get("SHEAF_TEST_SEED", "20261125"))
MODEL = "practice"

FAULTY = {"name": MODEL, "backend": "scripted", "concurrency": 32, "fail_rate": 0.1, "broken_rate": 0.15,
          "overload_rate": 0.1, "attempts_max": 3, "retry_first_wait_ms": 1, "retry_wait_max_ms": 5}


@dataclass
class Plan:
    dialect: str
    ids: list[str]
    bad: set[str]
    cancel_after_s: float | None


def make_plan(dice: random.Random) -> Plan:
    ids = [f"item-{n}" for n in range(dice.randint(1, 20))]
    bad = {custom_id for custom_id in ids if dice.random() < 0.08}
    return Plan(dice.choice(["openai", "anthropic", "sail"]), ids, bad,
                dice.uniform(0, 0.2) if dice.random() < 0.35 else None)


async def until(probe, what: str):
    for _ in range(3000):
        value = await probe()
        if value is not None:
            return value
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not happen")


async def get(http: httpx.AsyncClient, path: str):
    answer = await http.get(path)
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


async def run_openai(http: httpx.AsyncClient, plan: Plan) -> Counter:
    lines = [json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": MODEL, "messages": [{"role": "user", "content": custom_id}]}}) for custom_id in plan.ids]
    # A line that no one can read fails the whole batch: then nothing was accepted.
    spoiled = bool(plan.bad) and len(plan.ids) % 2 == 0
    if spoiled:
        lines.insert(len(lines) // 2, "{not json")
    file = (await http.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a.jsonl", "\n".join(lines))})).json()
    created = (await http.post("/v1/batches", json={"input_file_id": file["id"], "endpoint": "/v1/chat/completions",
                                                    "completion_window": "24h"})).json()
    path = f"/v1/batches/{created['id']}"
    if plan.cancel_after_s is not None:
        await asyncio.sleep(plan.cancel_after_s)
        assert (await http.post(path + "/cancel")).status_code in (200, 409)

    async def over():
        batch = await get(http, path)
        return batch if batch["status"] in ("completed", "failed", "expired", "cancelled") else None

    batch = await until(over, f"the end of {created['id']}")
    found = Counter()
    sizes = {}
    for name in ("output_file_id", "error_file_id"):
        if batch[name] is not None:
            text = (await http.get(f"/v1/files/{batch[name]}/content")).text
            sizes[name] = len(text.splitlines())
            found.update(json.loads(line)["custom_id"] for line in text.splitlines())
    counts = batch["request_counts"]
    if spoiled:
        assert (batch["status"], counts["total"], sizes) == ("failed", 0, {})
        return Counter(plan.ids)
    assert counts["total"] == len(plan.ids) and sizes.get("output_file_id", 0) == counts["completed"]
    if batch["status"] != "cancelled":
        assert counts["completed"] + counts["failed"] == counts["total"], batch
    return found


async def run_anthropic(http: httpx.AsyncClient, plan: Plan) -> Counter:
    requests = [{"custom_id": custom_id, "params": {"model": MODEL, "max_tokens": -1 if custom_id in plan.bad else 9, "messages": [
        {"role": "user", "content": custom_id}]}} for custom_id in plan.ids]
    created = (await http.post("/v1/messages/batches", json={"requests": requests})).json()
    path = f"/v1/messages/batches/{created['id']}"
    if plan.cancel_after_s is not None:
        await asyncio.sleep(plan.cancel_after_s)
        assert (await http.post(path + "/cancel")).status_code in (200, 400)

    async def over():
        batch = await get(http, path)
        assert sum(batch["request_counts"].values()) == len(plan.ids)
        return batch if batch["processing_status"] == "ended" else None

    batch = await until(over, f"the end of {created['id']}")
    lines = [json.loads(line) for line in (await http.get(path + "/results")).text.splitlines()]
    kinds = Counter(line["result"]["type"] for line in lines)
    assert kinds == Counter({kind: n for kind, n in batch["request_counts"].items() if n and kind != "processing"})
    return Counter(line["custom_id"] for line in lines)


async def run_sail(http: httpx.AsyncClient, plan: Plan) -> Counter:
    created = (await http.post("/sail/v1/batches", json={"endpoint": "/v1/responses", "requests": [
        {"custom_id": custom_id, "params": {"model": MODEL, "input": custom_id}} for custom_id in plan.ids]})).json()
    path = f"/sail/v1/batches/{created['id']}"
    if plan.cancel_after_s is not None:
        await asyncio.sleep(plan.cancel_after_s)
        assert (await http.post(path + "/cancel")).status_code == 200

    async def over():
        status = (await get(http, path))["request_status"]
        return status if all(one["status"] in ("COMPLETED", "FAILED", "CANCELLED") for one in status.values()) else None

    status = await until(over, f"the end of {created['id']}")
    found = Counter()
    for custom_id, one in status.items():
        item = await get(http, f"{path}/{custom_id}")
        assert item["status"] == one["status"].lower()
        found[custom_id] += 1
    lines = (await http.get(f"/sheaf/v1/batches/{created['id']}/results")).text.splitlines()
    assert len(lines) == len(plan.ids)
    return found


RUN = {"openai": run_openai, "anthropic": run_anthropic, "sail": run_sail}


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("expiring", [False, True])
def test_nothing_is_lost_and_nothing_is_doubled(make_server, expiring):
    if expiring:
        server = make_server(models=[FAULTY | {"delay_ms": 150, "delay_spread_ms": 300, "concurrency": 8}],
                             limits={"batch_time_s": 1})
    else:
        server = make_server(models=[FAULTY | {"delay_ms": 5, "delay_spread_ms": 30}])
    key = server.create_key("conservation")
    dice = random.Random(SEED + expiring)
    plans = [make_plan(dice) for _ in range(BATCHES // 2)]

    async def all_of_them() -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(base_url=server.url, headers={"authorization": f"Bearer {key.key}"}, trust_env=False,
                                     timeout=60) as http:
            async def one(number: int, plan: Plan) -> None:
                async with gate:
                    found = await RUN[plan.dialect](http, plan)
                assert found == Counter(plan.ids), f"seed {SEED}, batch {number}: {plan}"

            await asyncio.gather(*(one(number, plan) for number, plan in enumerate(plans)))

    asyncio.run(all_of_them())
