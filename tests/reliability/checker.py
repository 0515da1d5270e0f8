#!/usr/bin/env python3
"""Judges a server from outside: by the history of its clients and the ledger of its model server.

    checker.py --history HISTORY.jsonl --ledger LEDGER.jsonl [--attempts-max N]

Knows nothing of the server but what it answered. Prints what was broken, each with the name of its invariant, and exits with 1
if anything was. The names are those of docs/reliability.md.
"""
import argparse
import collections
import datetime
import json
import pathlib
import sys
from dataclasses import dataclass, field

STATES = ("accepted", "running", "canceling", "ended")
UNFINISHED = ("queued", "running")
FINISHED = ("succeeded", "failed", "canceled", "expired")


@dataclass
class Batch:
    """What was seen of one batch, in order."""

    id: str
    created: dict | None = None  # the acknowledged create
    looks: list[dict] = field(default_factory=list)
    readings: list[dict] = field(default_factory=list)
    cancels: list[dict] = field(default_factory=list)
    deletes: list[dict] = field(default_factory=list)

    @property
    def last(self) -> dict | None:
        return self.looks[-1]["shown"] if self.looks else None

    @property
    def deleted_at(self) -> float | None:
        return next((event["t"] for event in self.deletes if event["phase"] == "ok"), None)

    @property
    def may_be_deleted(self) -> bool:
        return any(event["phase"] in ("ok", "unknown") for event in self.deletes)


class World:
    def __init__(self, events: list[dict], ledger: list[dict], attempts_max: int) -> None:
        self.events, self.attempts_max = events, attempts_max
        self.batches: dict[str, Batch] = {}
        self.attempts: dict[str, list[dict]] = collections.defaultdict(list)
        for entry in ledger:
            self.attempts[entry["id"]].append(entry)
        self.creates = [event for event in events if event["op"] == "create"]
        self.kills = [event for event in events if event["op"] == "kill"]
        self.settled_at = next((event["t"] for event in events if event["op"] == "settled"), None)
        self.canonical = {event["batch"]: event["shown"]["id"] for event in events if event["op"] == "look" and event["phase"] == "ok"}
        for event in events:
            self._note(event)

    def _batch(self, name: str) -> Batch:
        id = self.canonical.get(name, name)
        return self.batches.setdefault(id, Batch(id))

    def _note(self, event: dict) -> None:
        op, phase = event["op"], event["phase"]
        if op == "create" and phase == "ok" and self._batch(event["batch"]).created is None:
            self._batch(event["batch"]).created = event
        elif op == "look" and phase == "ok":
            self._batch(event["batch"]).looks.append(event)
        elif op == "results" and phase == "ok":
            self._batch(event["batch"]).readings.append(event)
        elif op == "cancel" and phase != "invoke":
            self._batch(event["batch"]).cancels.append(event)
        elif op == "delete" and phase != "invoke":
            self._batch(event["batch"]).deletes.append(event)

    def accepted(self):
        return [batch for batch in self.batches.values() if batch.created]


def accepted_means_durable(world: World):
    """I1: what was accepted stays, with as many items as were sent, until it is deleted."""
    for batch in world.accepted():
        for look in batch.looks:
            if look["shown"]["counts"]["total"] != len(batch.created["items"]):
                yield f"{batch.id} has {look['shown']['counts']['total']} items of {len(batch.created['items'])}"
        if not batch.looks and not batch.may_be_deleted:
            yield f"{batch.id} was accepted and never seen again"
    for event in world.events:
        if event["op"] in ("look", "results") and event["phase"] == "refused" and event["status"] == 404:
            batch = world.batches.get(world.canonical.get(event["batch"], event["batch"]))
            asked = [delete["t"] for delete in (batch.deletes if batch else [])]
            if batch and batch.created and not (batch.may_be_deleted and min(asked) < event["t"]):
                yield f"{batch.id} was accepted and is not found"
    if world.settled_at is not None:
        listed = {shown["id"] for event in world.events if event["op"] == "list" and event["phase"] == "ok" and event["t"] > world.settled_at
                  for shown in event["page"]["batches"]}
        for batch in world.accepted():
            if not batch.may_be_deleted and batch.id not in listed:
                yield f"{batch.id} was accepted and is in no list"


def all_or_nothing(world: World):
    """I2: a create whose outcome nobody was told is there whole, or not at all."""
    unknown = collections.Counter(len(event["items"]) for event in world.creates if event["phase"] == "unknown")
    known = {world.canonical.get(event["batch"], event["batch"]) for event in world.creates if event["phase"] == "ok"}
    strangers = {}
    for event in world.events:
        if event["op"] == "list" and event["phase"] == "ok":
            strangers |= {shown["id"]: shown["counts"]["total"] for shown in event["page"]["batches"] if shown["id"] not in known}
    for id, total in strangers.items():
        if unknown[total] == 0:
            yield f"{id} with {total} items is nobody's"
        unknown[total] -= 1


def a_key_makes_one_batch(world: World):
    """I3: creates under one key are one batch."""
    made = collections.defaultdict(set)
    for event in world.creates:
        if event["phase"] == "ok" and event["key"]:
            made[event["key"]].add(world.canonical.get(event["batch"], event["batch"]))
    yield from (f"the key {key} made {sorted(ids)}" for key, ids in made.items() if len(ids) > 1)


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


def answers_have_a_source(world: World):
    """I9: a good line says what the model server answered to that very item."""
    for batch in world.batches.values():
        for line in batch.readings[-1]["lines"] if batch.readings else []:
            if not line["is_good"]:
                continue
            if line["says"] != line["item"]:
                yield f"{batch.id}: {line['item']} has the answer to {line['says']}"
            if not any(attempt["status"] == 200 for attempt in world.attempts[line["item"]]):
                yield f"{batch.id}: {line['item']} has an answer that no model server gave"


def retries_are_bounded(world: World):
    """I10, I26: an item is asked as often as it may be, and once more for each life of the server and each extra run."""
    most = world.attempts_max + len(world.kills) + 2
    for item, attempts in world.attempts.items():
        if len(attempts) > most:
            yield f"{item} was asked {len(attempts)} times"
        good = sum(attempt["status"] == 200 for attempt in attempts)
        if good > 1 + len(world.kills) + 2:
            yield f"{item} was answered well {good} times"


def no_work_after_the_end(world: World):
    """I11: nothing is asked for a batch that has ended or was deleted."""
    for batch in world.accepted():
        ends = [look["t"] for look in batch.looks if look["shown"]["state"] == "ended"]
        ends += [batch.deleted_at] if batch.deleted_at is not None else []
        for item in batch.created["items"] if ends else []:
            late = [attempt for attempt in world.attempts[item] if attempt["arrived_us"] / 1e6 > min(ends)]
            if late:
                yield f"{item} was asked {late[0]['arrived_us'] / 1e6 - min(ends):.3f} s after {batch.id} was over"


def a_cancel_ends_the_batch(world: World):
    """I12: after an acknowledged cancel a batch is being canceled or over, and it ends as canceled unless all had ended."""
    for batch in world.batches.values():
        acknowledged = [event["t"] for event in batch.cancels if event["phase"] == "ok"]
        for look in batch.looks if acknowledged else []:
            if look["t"] > min(acknowledged) and look["shown"]["state"] not in ("canceling", "ended"):
                yield f"{batch.id} is {look['shown']['state']} after its cancel"
            if look["shown"]["state"] == "ended" and look["shown"]["end_reason"] == "expired":
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


def usage_is_of_results(world: World):
    """I15: a batch's usage is that of its good lines, each once."""
    for batch in world.batches.values():
        if not batch.last or batch.last["state"] != "ended" or batch.created is None:
            continue
        ids = batch.created["items"]
        tokens = {attempt["prompt_tokens"] for item in ids for attempt in world.attempts[item] if attempt["status"] == 200}
        if len(tokens) == 1 and batch.last["usage"]["input_tokens"] != tokens.pop() * batch.last["counts"]["succeeded"]:
            yield f"{batch.id} used {batch.last['usage']['input_tokens']} tokens for {batch.last['counts']['succeeded']} results"


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


def errors_are_honest(world: World):
    """I23: no refusal of what was right, no 500, and 503 and 507 say when to come again."""
    for event in world.events:
        if event["phase"] == "unknown" and event.get("status") is not None:
            if event["status"] not in (503, 507) or not event.get("retry_after"):
                yield f"{event['op']} was answered {event['status']}: {event['body']}"
        if event["phase"] == "refused" and event["op"] == "create":
            yield f"a good create was refused with {event['status']}: {event['body']}"


def streams_are_whole(world: World):
    """I24: a results file that came whole ends with its last line's end."""
    for batch in world.batches.values():
        yield from (f"{batch.id} was read to the middle of a line" for reading in batch.readings if not reading["is_whole"])


INVARIANTS = (accepted_means_durable, all_or_nothing, a_key_makes_one_batch, one_result_for_each_item, counts_add_up, states_go_forward,
              results_are_stable, answers_have_a_source, retries_are_bounded, no_work_after_the_end, a_cancel_ends_the_batch,
              deleted_means_gone, usage_is_of_results, all_ends_in_time, times_are_in_order, errors_are_honest, streams_are_whole)


def check(events: list[dict], ledger: list[dict], attempts_max: int = 6) -> list[str]:
    """What was broken: "NAME: what"."""
    world = World(events, ledger, attempts_max)
    return [f"{invariant.__name__}: {found}" for invariant in INVARIANTS for found in invariant(world)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=pathlib.Path, required=True)
    parser.add_argument("--ledger", type=pathlib.Path, required=True)
    parser.add_argument("--attempts-max", type=int, default=6)
    arguments = parser.parse_args()
    events, ledger = ([json.loads(line) for line in path.read_text().splitlines()] for path in (arguments.history, arguments.ledger))
    broken = check(events, ledger, arguments.attempts_max)
    for each in broken:
        print(each)
    print(f"{len(events)} events, {len(ledger)} requests to the model server, {len(INVARIANTS)} invariants: {len(broken)} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
