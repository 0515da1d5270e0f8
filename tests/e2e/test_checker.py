"""The checker says nothing of a good history, and names what is broken in each of those that are not."""
import copy
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reliability"))

from checker import INVARIANTS, check  # noqa: E402

ITEMS = ["item-0000001", "item-0000002", "item-0000003"]


def event(t, op, phase="ok", **members):
    return {"t": t, "op": op, "phase": phase, "number": 1, **members}


def shown(state="ended", **counts):
    all_counts = {name: 0 for name in ("queued", "running", "succeeded", "failed", "canceled", "expired")} | counts
    return {"id": "b", "state": state, "end_reason": "completed" if state == "ended" else None,
            "counts": all_counts | {"total": sum(all_counts.values())}, "usage": {"input_tokens": 10 * all_counts["succeeded"]},
            "created_at": "2026-06-18T10:00:00.000Z", "ended_at": "2026-06-18T10:01:00.000Z" if state == "ended" else None,
            "purge_at": "2026-07-18T10:00:00.000Z"}


def line(item, **changes):
    return {"item": item, "hash": f"hash of {item}", "is_good": True, "says": item} | changes


def good():
    """A batch of three from its creation to its results, read twice; another is deleted; all with one kill in between."""
    lines = [line(item) for item in ITEMS]
    events = [
        event(1, "create", items=ITEMS, key="k", batch="b"),
        event(2, "look", batch="b", shown=shown("running", queued=1, running=2)),
        event(3, "kill"),
        event(4, "create", items=ITEMS, key="k", batch="b"),
        event(5, "look", batch="b", shown=shown("running", running=2, succeeded=1)),
        event(6, "results", batch="b", lines=[line(ITEMS[0])], is_whole=True),
        event(7, "look", batch="b", shown=shown(succeeded=3)),
        event(8, "results", batch="b", lines=lines, is_whole=True),
        event(8.5, "settled"),
        event(9, "list", page={"batches": [shown(succeeded=3)]}),
    ]
    ledger = [{"id": item, "arrived_us": 2_500_000, "status": 200, "prompt_tokens": 10} for item in ITEMS]
    return events, ledger


def test_a_good_history_breaks_nothing():
    assert check(*good()) == []


def lose_the_batch(events, ledger):
    events.append(event(10, "look", "refused", batch="b", status=404, body=""))


def lose_an_item(events, ledger):
    events[4]["shown"]["counts"].update(total=2, running=1)


def show_half_of_an_unknown_create(events, ledger):
    events.insert(0, event(0.5, "create", "unknown", items=["item-0000008", "item-0000009"], key=None))
    events[-1]["page"]["batches"].append(shown(succeeded=1) | {"id": "half"})


def make_two_batches_of_one_key(events, ledger):
    events[3]["batch"] = "other"


def double_a_line(events, ledger):
    events[7]["lines"].append(line(ITEMS[0]))


def leave_a_line_out(events, ledger):
    events[7]["lines"].pop()


def count_wrongly(events, ledger):
    events[1]["shown"]["counts"]["queued"] = 7


def go_back(events, ledger):
    events.insert(-2, event(8.2, "look", batch="b", shown=shown("running", running=3)))


def change_a_line(events, ledger):
    events[7]["lines"][0]["hash"] = "another"


def answer_for_another_item(events, ledger):
    events[7]["lines"][0]["says"] = ITEMS[1]


def invent_an_answer(events, ledger):
    ledger.pop()


def ask_without_end(events, ledger):
    ledger.extend([ledger[0] | {"status": 500}] * 20)


def answer_twice_without_a_reason(events, ledger):
    ledger.extend([ledger[0]] * 4)


def ask_after_the_end(events, ledger):
    ledger.append(ledger[0] | {"arrived_us": 9_000_000})


def go_on_after_a_cancel(events, ledger):
    events.insert(4, event(4.5, "cancel", batch="b"))


def show_a_deleted_batch(events, ledger):
    events.insert(-2, event(7.5, "delete", batch="b"))


def leave_bytes_of_a_deleted_batch(events, ledger):
    events.append(event(10, "left_on_disk", item=ITEMS[0], file="index.db-wal"))


def bill_twice(events, ledger):
    for each in events:
        if each.get("shown", {}).get("state") == "ended":
            each["shown"]["usage"] = {"input_tokens": 60}


def never_end(events, ledger):
    events[6]["shown"] = shown("running", running=2, succeeded=1)
    del events[7]


def end_before_the_beginning(events, ledger):
    events[6]["shown"]["ended_at"] = "2026-06-18T09:00:00.000Z"


def answer_500(events, ledger):
    events.append(event(10, "look", "unknown", batch="b", status=500, body="", retry_after=None))


def refuse_what_is_right(events, ledger):
    events.append(event(10, "create", "refused", items=ITEMS, key=None, status=400, body=""))


def cut_a_line(events, ledger):
    events[7]["is_whole"] = False


BROKEN = [
    (lose_the_batch, "accepted_means_durable"), (lose_an_item, "accepted_means_durable"),
    (show_half_of_an_unknown_create, "all_or_nothing"), (make_two_batches_of_one_key, "a_key_makes_one_batch"),
    (double_a_line, "one_result_for_each_item"), (leave_a_line_out, "one_result_for_each_item"), (count_wrongly, "counts_add_up"),
    (go_back, "states_go_forward"), (change_a_line, "results_are_stable"), (answer_for_another_item, "answers_have_a_source"),
    (invent_an_answer, "answers_have_a_source"), (ask_without_end, "retries_are_bounded"),
    (answer_twice_without_a_reason, "retries_are_bounded"), (ask_after_the_end, "no_work_after_the_end"),
    (go_on_after_a_cancel, "a_cancel_ends_the_batch"), (show_a_deleted_batch, "deleted_means_gone"),
    (leave_bytes_of_a_deleted_batch, "deleted_means_gone"), (bill_twice, "usage_is_of_results"), (never_end, "all_ends_in_time"),
    (end_before_the_beginning, "times_are_in_order"), (answer_500, "errors_are_honest"), (refuse_what_is_right, "errors_are_honest"),
    (cut_a_line, "streams_are_whole"),
]


@pytest.mark.parametrize(("spoil", "name"), BROKEN, ids=[spoil.__name__ for spoil, _ in BROKEN])
def test_what_is_broken_is_named(spoil, name):
    events, ledger = copy.deepcopy(good())
    spoil(events, ledger)
    assert name in {found.split(":")[0] for found in check(events, ledger)}


def test_every_invariant_can_be_broken():
    assert {name for _, name in BROKEN} == {invariant.__name__ for invariant in INVARIANTS}
