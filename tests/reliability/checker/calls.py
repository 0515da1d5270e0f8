"""Calls and their answers."""
from .world import FINISHED, STATES, World


def errors_are_honest(world: World):
    """I23: no refusal of what was right, no 500, and 503 and 507 say when to come again."""
    limited = {(limit["account"], limit["dialect"]) for limit in world.all("limit")}
    for event in world.events:
        if event["phase"] == "unknown" and event.get("status") is not None:
            if event["status"] not in (503, 507) or not event.get("retry_after"):
                yield f"{event['op']} was answered {event['status']}: {event['body']}"
        is_over_limit = event.get("status") == 429 and (event.get("account"), event.get("dialect")) in limited
        if event["phase"] == "refused" and event["op"] in ("create", "upload") and not is_over_limit:
            yield f"a good {event['op']} was refused with {event['status']}: {event['body']}"


def pages_are_the_whole_list(world: World):
    """I18: pages one behind another are the list, each batch once, also while others come and go."""
    for event in world.all("paged", "ok"):
        shown = [world.id_of(id) for id in event["ids"]]
        if doubled := sorted({id for id in shown if shown.count(id) > 1}):
            yield f"{doubled} are in {event['list']} more than once"
        for batch in world.accepted():
            is_of_list = batch.created.get("account") == event["account"] and event["list"] in ("sheaf", batch.created.get("dialect"))
            was_there = batch.created["t"] < event["began"] and not any(delete["asked_at"] < event["t"] for delete in batch.deletes)
            if is_of_list and was_there and batch.id not in shown:
                yield f"{batch.id} is on no page of {event['list']}"


def writes_are_read_everywhere(world: World):
    """I17: a list that was asked for after a create was acknowledged, of whichever node, begins with all that is newer than what it has."""
    created = {batch.id: batch.created for batch in world.accepted() if not batch.may_be_deleted}
    for event in world.all("list", "ok"):
        if "after" in event:
            continue
        mine = {id: create for id, create in created.items() if create.get("account") == event.get("account")}
        shown = {batch["id"] for batch in event["page"]["batches"]}
        oldest = min((mine[id]["t"] for id in shown & set(mine)), default=0) if event["page"]["has_more"] else 0
        for id, create in mine.items():
            if id not in shown and oldest < create["asked_at"] and create["t"] < event["asked_at"]:
                where, after = event.get("node") or "the server", event["t"] - create["t"]
                yield f"{id} was accepted and is not in the list that {where} gave {after:.3f} s later"


def nodes_agree(world: World):
    """I17: what one node has told of a batch, every other one tells."""
    for batch in world.accepted():
        told = [batch.created, *batch.looks, *batch.readings, *(event for event in batch.cancels + batch.deletes if event["phase"] == "ok")]
        lost = [miss for miss in batch.misses if not any(delete["asked_at"] < miss["t"] for delete in batch.deletes)]
        for later in sorted(told + lost, key=lambda event: event["t"]):
            for before in told:
                is_elsewhere = before["t"] <= later["asked_at"] and before.get("node") != later.get("node")
                if is_elsewhere and (broken := what_is_lost(before, later)):
                    yield f"{batch.id}: {before['node']} {broken} {later['node']}"
                    break


def what_is_lost(before: dict, later: dict) -> str | None:
    """Between two events of one batch on two nodes."""
    if later["phase"] == "refused":
        return "knows it, and it is not found at"
    if before["op"] == "delete":
        return "deleted it, and it is there at" if later["op"] in ("look", "results") else None
    if before["op"] == "cancel" and later["op"] == "look" and later["shown"]["state"] in ("accepted", "running"):
        return "canceled it, and it goes on at"
    if before["op"] == later["op"] == "look" and is_behind(later["shown"], before["shown"]):
        return "is ahead of"
    if before["op"] == later["op"] == "results":
        lines = {line["item"]: line["hash"] for line in later["lines"]}
        if [line for line in before["lines"] if lines.get(line["item"]) != line["hash"]]:
            return "has lines that differ from those at"
    return None


def is_behind(shown: dict, other: dict) -> bool:
    return STATES.index(shown["state"]) < STATES.index(other["state"]) or any(
        shown["counts"][name] < other["counts"][name] for name in FINISHED)


def calls_go_where_they_were_sent(world: World):
    """A model server's or a webhook's redirect is not followed."""
    for event in world.all("led_astray"):
        yield f"{event['by']} led the server to {event['to']}"
