"""What was seen, put together by batch: what each invariant looks at."""
import collections
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

STATES = ("accepted", "running", "canceling", "ended")
UNFINISHED = ("queued", "running")
OWN_ID = re.compile(r"[0-9a-f]{24}")
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
    misses: list[dict] = field(default_factory=list)  # looks and readings that did not find it

    @property
    def last(self) -> dict | None:
        return self.looks[-1]["shown"] if self.looks else None

    @property
    def deleted_at(self) -> float | None:
        return next((event["t"] for event in self.deletes if event["phase"] == "ok"), None)

    @property
    def may_be_deleted(self) -> bool:
        return any(event["phase"] in ("ok", "unknown") for event in self.deletes)


@dataclass
class Fault:
    """What was done to a server, a node or its database, until it was mended."""

    began: float
    ended: float


class World:
    def __init__(self, events: list[dict], ledger: list[dict], attempts_max: int = 6, deliveries: Sequence[dict] = ()) -> None:
        self.events, self.attempts_max, self.deliveries = events, attempts_max, deliveries
        self.batches: dict[str, Batch] = {}
        self.attempts: dict[str, list[dict]] = collections.defaultdict(list)
        for entry in ledger:
            self.attempts[entry["id"]].append(entry)
        asked = {event["number"]: event["t"] for event in events if event["phase"] == "invoke"}
        for event in events:
            event["asked_at"] = asked.get(event["number"], event["t"])
        self.creates = self.all("create")
        mended = {event["kill"]: event["t"] for event in self.all("mended")}
        self.faults = [Fault(event["t"], mended.get(event["number"], event["t"])) for event in self.all("kill") + self.all("stall")]
        self.settled_at = next((event["t"] for event in events if event["op"] == "settled"), None)
        self.canonical = {event["batch"]: event["shown"]["id"] for event in events if event["op"] == "look" and event["phase"] == "ok"}
        for event in events:
            self._note(event)

    def all(self, op: str, phase: str | None = None) -> list[dict]:
        return [event for event in self.events if event["op"] == op and phase in (None, event["phase"])]

    def id_of(self, name: str) -> str:
        """The batch that a vendor prints so: its own 24 hex digits are in each vendor's."""
        own = OWN_ID.search(name)
        return self.canonical.get(name, own[0] if own else name)

    def _batch(self, name: str) -> Batch:
        id = self.id_of(name)
        return self.batches.setdefault(id, Batch(id))

    def _note(self, event: dict) -> None:
        op, phase = event["op"], event["phase"]
        if op == "create" and phase == "ok" and self._batch(event["batch"]).created is None:
            self._batch(event["batch"]).created = event
        elif op == "look" and phase == "ok":
            self._batch(event["batch"]).looks.append(event)
        elif op == "results" and phase == "ok":
            self._batch(event["batch"]).readings.append(event)
        elif op in ("look", "results") and phase == "refused" and event["status"] == 404:
            self._batch(event["batch"]).misses.append(event)
        elif op == "cancel" and phase != "invoke":
            self._batch(event["batch"]).cancels.append(event)
        elif op == "delete" and phase != "invoke":
            self._batch(event["batch"]).deletes.append(event)

    def faults_between(self, since: float, until: float) -> list[Fault]:
        return [fault for fault in self.faults if fault.began <= until and since <= fault.ended]

    def accepted(self):
        return [batch for batch in self.batches.values() if batch.created]
