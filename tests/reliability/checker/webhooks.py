"""What was told of batches and items that had ended, by the ledger of the one who was told."""
import base64
import collections
import hashlib
import hmac
import json

from .world import World

CLOCKS_APART_S = 300


def webhooks_tell_each_end_once(world: World):
    """I16: every end reaches each target, under one id however often it is told, not before it can be read, and nobody else."""
    endpoints = {event["path"]: event for event in world.all("endpoint")}
    by_path = collections.defaultdict(list)
    for delivery in world.deliveries:
        if delivery["path"] not in endpoints:
            yield f"{delivery['path']} was told something, and nobody had asked for it"
        else:
            by_path[delivery["path"]].append(delivery)
    for path, endpoint in endpoints.items():
        told = [(delivery, ending_of(endpoint, delivery)) for delivery in by_path[path]]
        yield from (f"{path}: {wrong}" for wrong in wrong_endings(world, endpoint, told))
        yield from (f"{path}: {wrong}" for wrong in wrong_retries(world, told))


def ending_of(endpoint: dict, delivery: dict) -> dict:
    """What was told: of which thing, how it ended, and under which id."""
    event = json.loads(delivery["body"])
    if endpoint["dialect"] == "sail":
        return {"of": event["custom_id"], "ended": event["status"], "id": event["id"]}
    return {"of": event["data"]["id"], "ended": event["type"].rsplit(".", 1)[-1], "id": event["id"]}


def wrong_endings(world: World, endpoint: dict, told: list):
    for delivery, ending in told:
        if delivery["shown"] is not None and delivery["shown"] != ending["ended"]:
            yield f"{ending['of']} was told to be {ending['ended']} and was {delivery['shown']} to who looked"
    heard = {world.id_of(ending["of"]) for _, ending in told}
    if endpoint["dialect"] == "sail":
        if endpoint["item"] not in heard and all_has_ended(world, world.id_of(endpoint["batch"])):
            yield f"{endpoint['item']} has ended and was not told"
        if strangers := heard - {endpoint["item"]}:
            yield f"{sorted(strangers)} was told to who asked for {endpoint['item']}"
        return
    for batch in world.accepted():
        is_its = (batch.created.get("account"), batch.created.get("dialect")) == (endpoint["account"], endpoint["dialect"])
        if is_its and batch.created["t"] > endpoint["t"] and all_has_ended(world, batch.id) and batch.id not in heard:
            yield f"{batch.id} has ended and was not told"
        if is_its and world.all("told_all") and batch.readings and endpoint["dialect"] == "twelvelabs":
            for line in batch.readings[-1]["lines"]:
                if line["task_ended"] in ("ready", "failed") and line["task"] not in heard:
                    yield f"{line['task']} of {batch.id} has ended and was not told"
        if not is_its and batch.id in heard:
            yield f"{batch.id} of {batch.created.get('account')} was told to {endpoint['account']}"


def all_has_ended(world: World, id: str) -> bool:
    """Long enough before the history's end, and still there."""
    batch = world.batches.get(id)
    return bool(batch and batch.last and batch.last["state"] == "ended" and not batch.may_be_deleted and world.all("told_all"))


def wrong_retries(world: World, told: list):
    bodies, ids = collections.defaultdict(set), collections.defaultdict(set)
    ends = collections.defaultdict(set)
    taken = collections.Counter()
    for delivery, ending in told:
        bodies[ending["id"]].add(delivery["body"])
        ids[ending["of"], ending["ended"]].add(ending["id"])
        ends[ending["of"]].add(ending["ended"])
        taken[ending["id"]] += delivery["answered"] == 200
    yield from (f"{id} has had {len(told_as)} bodies" for id, told_as in bodies.items() if len(told_as) > 1)
    yield from (f"{of} was told under {sorted(used)}" for (of, _), used in ids.items() if len(used) > 1)
    yield from (f"{of} ended as {sorted(ended)}" for of, ended in ends.items() if len(ended) > 1)
    most = 1 + len(world.faults)
    yield from (f"{id} was taken and told {count} times" for id, count in taken.items() if count > most)


def deliveries_are_signed(world: World):
    """I16: over the bytes that were sent, with the target's own secret and the time of sending."""
    endpoints = {event["path"]: event for event in world.all("endpoint")}
    for delivery in world.deliveries:
        if delivery["path"] in endpoints and (wrong := wrong_signature(endpoints[delivery["path"]], delivery)):
            yield f"{delivery['path']}: {wrong}"


def wrong_signature(endpoint: dict, delivery: dict) -> str | None:
    headers, body, secret = delivery["headers"], delivery["body"].encode(), endpoint["secret"]
    if endpoint["dialect"] == "sail":
        return None if headers.get("authorization") == f"Bearer {secret}" else "the token is missing"
    if endpoint["dialect"] == "twelvelabs":
        parts = dict(part.split("=", 1) for part in headers["tl-signature"].split(","))
        sent_at, signature = parts["t"], parts["v1"]
        expected = hmac.new(secret.encode(), sent_at.encode() + b"." + body, hashlib.sha256).hexdigest()
    else:
        sent_at, signature = headers["webhook-timestamp"], headers["webhook-signature"].removeprefix("v1,")
        signed = f"{headers['webhook-id']}.{sent_at}.".encode() + body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if headers["webhook-id"] != json.loads(body)["id"]:
            return "the id of the header is another one"
    if not hmac.compare_digest(expected, signature):
        return "the signature is wrong"
    if abs(delivery["wall"] - int(sent_at)) > CLOCKS_APART_S:
        return f"it was signed at {sent_at}"
    return None
