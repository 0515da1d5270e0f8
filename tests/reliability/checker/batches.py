"""Batches: nothing accepted is lost, doubled or changed, and each goes forward to its end."""
import collections
import datetime

from .world import FINISHED, STATES, UNFINISHED, Batch, World


def accepted_means_durable(world: World):
    """I1: what was accepted stays, with as many items as were sent, until it is deleted."""
    for batch in world.accepted():
        for look in batch.looks:
            if look["shown"]["counts"]["total"] != len(batch.created["items"]):
                yield f"{batch.id} has {look['shown']['counts']['total']} items of {len(batch.created['items'])}"
        if not batch.looks and not batch.may_be_deleted:
            yield f"{batch.id} was accepted and never seen again"
    for batch in world.accepted():
        for miss in batch.misses:
            if not (batch.may_be_deleted and min(delete["t"] for delete in batch.deletes) < miss["t"]):
                yield f"{batch.id} was accepted and is not found"
    if world.settled_at is not None:
        listed = {shown["id"] for event in world.events if event["op"] == "list" and event["phase"] == "ok" and event["t"] > world.settled_at
                  for shown in event["page"]["batches"]}
        for batch in world.accepted():
            if not batch.may_be_deleted and batch.id not in listed:
                yield f"{batch.id} was accepted and is in no list"


def all_or_nothing(world: World):
    """I2: a create whose outcome nobody was told is there whole, or not at all."""
    unknown = [event["items"] for event in world.creates if event["phase"] == "unknown"]
    known = {world.id_of(event["batch"]) for event in world.creates if event["phase"] == "ok"}
    strangers = {}
    for event in world.events:
        if event["op"] == "list" and event["phase"] == "ok":
            strangers |= {shown["id"]: shown["counts"]["total"] for shown in event["page"]["batches"] if shown["id"] not in known}
    lines = {id: {line["item"] for reading in world.batches.get(id, Batch(id)).readings for line in reading["lines"]} for id in strangers}
    for id in sorted(strangers, key=lambda id: not lines[id]):  # what has lines tells which create it is of
        match = next((items for items in unknown if len(items) == strangers[id] and lines[id] <= set(items)), None)
        if match is None:
            yield f"{id} with {strangers[id]} items is nobody's"
        else:
            unknown.remove(match)


def a_key_makes_one_batch(world: World):
    """I3: creates of one account under one key are one batch."""
    made = collections.defaultdict(set)
    for event in world.creates:
        if event["phase"] == "ok" and event["key"]:
            made[event.get("account"), event.get("dialect"), event["key"]].add(world.id_of(event["batch"]))
    yield from (f"the key {key} made {sorted(ids)}" for (_, _, key), ids in made.items() if len(ids) > 1)


def one_result_for_each_item(world: World):
    """I4: at the end there is one line for each accepted item, and none for others."""
    for batch in world.accepted():
        for reading in batch.readings:
            counted = collections.Counter(line["item"] for line in reading["lines"])
            if doubled := [item for item, count in counted.items() if count > 1]:
                yield f"{batch.id} has several lines for {doubled[:3]}"
            if foreign := set(counted) - set(batch.created["items"]):
                yield f"{batch.id} has lines for {sorted(foreign)[:3]}, which nobody sent"
        ended_at = next((look["t"] for look in batch.looks if look["shown"]["state"] == "ended"), None)
        for reading in batch.readings:
            if ended_at is not None and reading["t"] > ended_at:
                if lacking := set(batch.created["items"]) - {line["item"] for line in reading["lines"]}:
                    yield f"{batch.id} has ended without a line for {sorted(lacking)[:3]}"


def counts_add_up(world: World):
    """I5: in every status, and at the end with the lines."""
    for batch in world.batches.values():
        for look in batch.looks:
            counts = look["shown"]["counts"]
            if sum(counts[name] for name in UNFINISHED + FINISHED) != counts["total"]:
                yield f"{batch.id} counts {counts}"
        if batch.last and batch.last["state"] == "ended" and batch.readings and batch.readings[-1]["t"] > batch.looks[-1]["t"]:
            good = sum(line["is_good"] for line in batch.readings[-1]["lines"])
            if good != batch.last["counts"]["succeeded"]:
                yield f"{batch.id} says {batch.last['counts']['succeeded']} succeeded and has {good} such lines"


def states_go_forward(world: World):
    """I6, I7: a batch's state, and its counts of what is over."""
    for batch in world.batches.values():
        for before, after in zip(batch.looks, batch.looks[1:]):
            old, new = before["shown"], after["shown"]
            if STATES.index(new["state"]) < STATES.index(old["state"]):
                yield f"{batch.id} was {old['state']} and became {new['state']}"
            if old["state"] == "ended" and (new["counts"], new["end_reason"], new["usage"]) != (old["counts"], old["end_reason"], old["usage"]):
                yield f"{batch.id} had ended and changed"
            for name in FINISHED:
                if new["counts"][name] < old["counts"][name]:
                    yield f"{batch.id} had {old['counts'][name]} {name} and has {new['counts'][name]}"


def results_are_stable(world: World):
    """I8: a line never changes."""
    for batch in world.batches.values():
        first = {}
        for reading in batch.readings:
            for line in reading["lines"]:
                if first.setdefault(line["item"], line["hash"]) != line["hash"]:
                    yield f"{batch.id}: the line of {line['item']} changed"
            if gone := set(first) - {line["item"] for line in reading["lines"]}:
                yield f"{batch.id}: the lines of {sorted(gone)[:3]} are gone"


def a_cancel_ends_the_batch(world: World):
    """I12: after an acknowledged cancel a batch is being canceled or over, and it ends as canceled unless all had ended, or its time came."""
    for batch in world.batches.values():
        acknowledged = [event["t"] for event in batch.cancels if event["phase"] == "ok"]
        for look in batch.looks if acknowledged else []:
            shown = look["shown"]
            if look["t"] > min(acknowledged) and shown["state"] not in ("canceling", "ended"):
                yield f"{batch.id} is {shown['state']} after its cancel"
            if shown["end_reason"] == "expired" and not (shown.get("expires_at") and shown["ended_at"] >= shown["expires_at"]):
                yield f"{batch.id} was canceled and says that it expired"


def deleted_means_gone(world: World):
    """I14: after an acknowledged delete nothing of the batch is found, neither by calls nor on the disk."""
    for batch in world.batches.values():
        for seen in (batch.looks + batch.readings) if batch.deleted_at is not None else []:
            if seen["t"] > batch.deleted_at:
                yield f"{batch.id} was deleted and is there"
    for event in world.events:
        if event["op"] == "left_on_disk":
            yield f"{event['item']} of a deleted batch is still in {event['file']}"


def all_ends_in_time(world: World):
    """I21: when faults are over and there was time, everything has ended."""
    if world.settled_at is None:
        yield "the batches had no time to end"
    for batch in world.accepted():
        if batch.last and batch.last["state"] != "ended" and not batch.may_be_deleted:
            yield f"{batch.id} is {batch.last['state']} at the end: {batch.last['counts']}"


def times_are_in_order(world: World):
    """I22: created, ended, removed."""
    for batch in world.batches.values():
        for look in batch.looks:
            times = [datetime.datetime.fromisoformat(look["shown"][name]) for name in ("created_at", "ended_at", "purge_at") if look["shown"][name]]
            if times != sorted(times):
                yield f"{batch.id} has times in no order: {look['shown']}"


def streams_are_whole(world: World):
    """I24: a results file that came whole ends with its last line's end."""
    for batch in world.batches.values():
        yield from (f"{batch.id} was read to the middle of a line" for reading in batch.readings if not reading["is_whole"])
