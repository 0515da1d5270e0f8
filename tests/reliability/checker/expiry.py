"""Batches whose time is over."""
import datetime

from .world import UNFINISHED, World

LATE_S = 5
CLOCK_STEP_S = 0.5  # stored times are whole milliseconds, those of a history begin before the call was sent


def what_expires_ends_in_time(world: World):
    """I13: at its time, by a clock that nobody turns, all that has not ended expires, and nothing does earlier."""
    first_asked = {}
    for event in world.creates:
        name = (event.get("account"), event.get("dialect"), event["key"] or tuple(event["items"]))
        first_asked[name] = min(first_asked.get(name, event["t"]), event["t"])
    for batch in world.accepted():
        created = batch.created
        asked_at = first_asked[created.get("account"), created.get("dialect"), created["key"] or tuple(created["items"])]
        for look in batch.looks:
            shown = look["shown"]
            if shown["state"] == "ended" and any(shown["counts"][name] for name in UNFINISHED):
                yield f"{batch.id} has ended and counts {shown['counts']}"
            if not shown.get("expires_at"):
                continue
            lasts = seconds_between(shown["created_at"], shown["expires_at"])
            if shown["state"] != "ended" and look["asked_at"] > created["t"] + lasts + LATE_S:
                yield f"{batch.id} is {shown['state']} {look['asked_at'] - created['t'] - lasts:.1f} s after its time"
            if shown["end_reason"] == "expired" and look["t"] < asked_at + lasts - CLOCK_STEP_S:
                yield f"{batch.id} expired {asked_at + lasts - look['t']:.1f} s before its time"


def seconds_between(first: str, second: str) -> float:
    return (datetime.datetime.fromisoformat(second) - datetime.datetime.fromisoformat(first)).total_seconds()
