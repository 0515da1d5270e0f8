"""The checker says nothing of a good history, and names what is broken in each of those that are not."""
import base64
import copy
import hashlib
import hmac
import json
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
    return {"id": "b", "state": state, "dialect": "openai", "expires_at": None, "end_reason": "completed" if state == "ended" else None,
            "counts": all_counts | {"total": sum(all_counts.values())}, "usage": {"input_tokens": 10 * all_counts["succeeded"]},
            "created_at": "2026-06-18T10:00:00.000Z", "ended_at": "2026-06-18T10:01:00.000Z" if state == "ended" else None,
            "purge_at": "2026-07-18T10:00:00.000Z"}


def line(item, **changes):
    return {"item": item, "hash": f"hash of {item}", "is_good": True, "says": item} | changes


def good():
    """A batch of three from its creation to its results, read twice, with one kill in between; on two nodes; told to a webhook; the
    second of two accounts asks for it and pages through a list of its own."""
    lines = [line(item) for item in ITEMS]
    anna, bob = {"account": "anna", "dialect": "openai", "node": "one"}, {"account": "bob", "dialect": "openai", "node": "one"}
    events = [
        event(1, "create", items=ITEMS, key="k", batch="b", **anna),
        event(2, "look", batch="b", shown=shown("running", queued=1, running=2), **anna),
        event(3, "kill"),
        event(4, "create", items=ITEMS, key="k", batch="b", **anna),
        event(5, "look", batch="b", shown=shown("running", running=2, succeeded=1), **anna),
        event(6, "results", batch="b", lines=[line(ITEMS[0])], is_whole=True, **anna),
        event(7, "look", batch="b", shown=shown(succeeded=3), **anna | {"node": "two"}),
        event(8, "results", batch="b", lines=lines, is_whole=True, canaries=["canary-anna-1"], **anna),
        event(8.5, "settled"),
        event(8.6, "told_all"),
        event(9, "list", page={"batches": [shown(succeeded=3)], "has_more": False}, **anna),
        event(0.1, "account", account="anna", canary="canary-anna-1"),
        event(0.1, "account", account="bob", canary="canary-bob-1"),
        event(0.2, "endpoint", path="/in", account="anna", dialect="openai", secret=SECRET),
        event(0.3, "limit", account="anna", dialect="openai", most=1),
        event(2, "not_yours", account="bob", call="GET /ID", theirs=[404, {}, "no ID"], nobodys=[404, {}, "no ID"]),
        event(2.1, "create", items=["item-0000009"], key="k", batch="bobs", **bob),
        event(2.2, "look", batch="bobs", shown=shown(failed=1) | {"id": "bobs"}, **bob),
        event(2.5, "paged", list="openai", ids=["bobs"], began=2.3, **bob),
        event(9.5, "list", page={"batches": [shown(failed=1) | {"id": "bobs"}], "has_more": False}, **bob),
        event(9.6, "results", batch="bobs", lines=[line("item-0000009", is_good=False, is_failed=True, says=None)], is_whole=True, **bob),
    ]
    ledger = [{"id": item, "arrived_us": 2_500_000, "ended_us": 2_600_000, "status": 200, "prompt_tokens": 10} for item in ITEMS]
    ledger.append(ledger[0] | {"id": "item-0000009", "status": 429, "arrived_us": 2_100_000, "ended_us": 2_110_000, "retry_after_s": 0.05})
    ledger.append(ledger[3] | {"arrived_us": 2_190_000})
    return events, ledger, [told("b")]


SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four").decode()


def told(batch, id="evt_1", **changes):
    """A delivery, signed as the vendor's library wants it."""
    body = json.dumps({"id": id, "type": "batch.completed", "data": {"id": batch}})
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, f"{id}.1000.{body}".encode(), hashlib.sha256).digest()).decode()
    return {"t": 7.5, "wall": 1001, "path": "/in", "body": body, "answered": 200, "shown": "completed", "headers": {
        "webhook-id": id, "webhook-timestamp": "1000", "webhook-signature": f"v1,{signature}"}} | changes


def found_in(events, ledger, deliveries):
    return check(events, ledger, deliveries=deliveries)


def names_found(events, ledger, deliveries):
    return {found.split(":")[0] for found in found_in(events, ledger, deliveries)}


def test_a_good_history_breaks_nothing():
    assert found_in(*good()) == []


def lose_the_batch(events, ledger, deliveries):
    events.append(event(10, "look", "refused", batch="b", status=404, body="", account="anna", node="one"))


def lose_an_item(events, ledger, deliveries):
    events[4]["shown"]["counts"].update(total=2, running=1)


def show_half_of_an_unknown_create(events, ledger, deliveries):
    events.insert(0, event(0.5, "create", "unknown", items=["item-0000008", "item-0000009"], key=None))
    events[11]["page"]["batches"].append(shown(succeeded=1) | {"id": "half"})


def make_two_batches_of_one_key(events, ledger, deliveries):
    events[3]["batch"] = "other"


def double_a_line(events, ledger, deliveries):
    events[7]["lines"].append(line(ITEMS[0]))


def leave_a_line_out(events, ledger, deliveries):
    events[7]["lines"].pop()


def count_wrongly(events, ledger, deliveries):
    events[1]["shown"]["counts"]["queued"] = 7


def go_back(events, ledger, deliveries):
    events.insert(8, event(8.2, "look", batch="b", shown=shown("running", running=3), node="one"))


def change_a_line(events, ledger, deliveries):
    events[7]["lines"][0]["hash"] = "another"


def answer_for_another_item(events, ledger, deliveries):
    events[7]["lines"][0]["says"] = ITEMS[1]


def invent_an_answer(events, ledger, deliveries):
    del ledger[0]


def ask_without_end(events, ledger, deliveries):
    ledger.extend(copy.deepcopy([ledger[0] | {"status": 500}] * 40))


def answer_twice_without_a_reason(events, ledger, deliveries):
    ledger.extend([ledger[0]] * 4)


def ask_again_what_was_answered(events, ledger, deliveries):
    events[2]["t"] = 0.5
    ledger.append(ledger[0] | {"arrived_us": 3_400_000, "ended_us": 3_450_000})


def ask_again_what_was_read(events, ledger, deliveries):
    ledger.append(ledger[0] | {"arrived_us": 6_500_000, "ended_us": 6_550_000, "status": 500})


def ask_after_the_end(events, ledger, deliveries):
    ledger.append(ledger[0] | {"arrived_us": 9_000_000})


def ask_after_a_cancel(events, ledger, deliveries):
    events[2] = event(4.5, "cancel", batch="b", node="one")  # and no kill that explains it
    ledger.append(ledger[0] | {"arrived_us": 6_500_000})


def go_on_after_a_cancel(events, ledger, deliveries):
    events.insert(4, event(4.5, "cancel", batch="b", node="one"))


def expire_what_was_canceled(events, ledger, deliveries):
    events.insert(6, event(6.5, "cancel", batch="b", node="one"))
    events[7]["shown"] |= {"end_reason": "expired", "expires_at": "2026-06-18T10:02:00.000Z"}


def show_a_deleted_batch(events, ledger, deliveries):
    events.insert(7, event(7.5, "delete", batch="b", node="one"))


def leave_bytes_of_a_deleted_batch(events, ledger, deliveries):
    events.append(event(10, "left_on_disk", item=ITEMS[0], file="index.db-wal"))


def bill_twice(events, ledger, deliveries):
    for each in events:
        if each.get("shown", {}).get("state") == "ended":
            each["shown"]["usage"] = {"input_tokens": 60}


def never_end(events, ledger, deliveries):
    events[6]["shown"] = shown("running", running=2, succeeded=1)
    del events[7]


def end_before_the_beginning(events, ledger, deliveries):
    events[6]["shown"]["ended_at"] = "2026-06-18T09:00:00.000Z"


def answer_500(events, ledger, deliveries):
    events.append(event(10, "look", "unknown", batch="b", status=500, body="", retry_after=None))


def refuse_what_is_right(events, ledger, deliveries):
    events.append(event(10, "create", "refused", items=ITEMS, key=None, status=400, body=""))


def refuse_a_good_file(events, ledger, deliveries):
    events.append(event(10, "upload", "refused", status=413, body=""))


def cut_a_line(events, ledger, deliveries):
    events[7]["is_whole"] = False


def let_it_live_on(events, ledger, deliveries):
    for each in events:
        if each["op"] == "look" and each["batch"] == "b":
            each["shown"]["expires_at"] = "2026-06-18T10:00:00.500Z"
    events[4]["t"] = 6.9


def expire_it_early(events, ledger, deliveries):
    events[6]["shown"] |= {"end_reason": "expired", "expires_at": "2026-06-18T10:02:00.000Z"}


def end_with_something_unfinished(events, ledger, deliveries):
    events[6]["shown"]["counts"] |= {"queued": 1, "succeeded": 2}


def fail_without_asking(events, ledger, deliveries):
    del ledger[3:]


def fail_what_was_answered(events, ledger, deliveries):
    ledger[4]["status"] = 200


def take_an_answer_that_was_cut(events, ledger, deliveries):
    ledger[0] |= {"nonce": "n1", "status": -1}
    ledger.append(ledger[0] | {"nonce": "n2", "status": 200})
    events[7]["lines"][0]["nonce"] = "n1"


def come_again_early(events, ledger, deliveries):
    ledger[3]["retry_after_s"] = 3


def tell_nobody(events, ledger, deliveries):
    deliveries.clear()


def tell_under_two_ids(events, ledger, deliveries):
    deliveries.append(told("b", "evt_2"))


def tell_what_was_taken(events, ledger, deliveries):
    deliveries.extend([told("b")] * 2)


def tell_before_it_shows(events, ledger, deliveries):
    deliveries[0]["shown"] = "in_progress"


def tell_another_account(events, ledger, deliveries):
    deliveries.append(told("bobs", "evt_2"))


def tell_who_did_not_ask(events, ledger, deliveries):
    deliveries.append(told("b", path="/elsewhere"))


def change_a_body(events, ledger, deliveries):
    deliveries.append(deliveries[0] | {"body": deliveries[0]["body"] + " "})


def sign_with_another_secret(events, ledger, deliveries):
    events[13]["secret"] = "whsec_" + base64.b64encode(b"another one").decode()


def sign_long_before(events, ledger, deliveries):
    deliveries[0]["wall"] = 2000


def put_the_token_out(events, ledger, deliveries):
    events.append(event(0.4, "endpoint", path="/sail", account="anna", dialect="sail", secret="t", item=ITEMS[0], batch="b"))
    deliveries.append({"t": 8, "wall": 1001, "path": "/sail", "answered": 200, "shown": "completed", "headers": {"authorization": "Bearer s"},
                       "body": json.dumps({"id": "resp_1", "custom_id": ITEMS[0], "status": "completed"})})


def fall_behind_on_another_node(events, ledger, deliveries):
    events[4]["shown"] = shown("running", running=1, succeeded=2)
    events.insert(5, event(5.5, "look", batch="b", shown=shown("running", running=2, succeeded=1), node="two"))


def lose_it_on_another_node(events, ledger, deliveries):
    events.insert(2, event(2.5, "look", "refused", batch="b", status=404, body="", account="anna", node="two"))


def go_on_at_another_node(events, ledger, deliveries):
    events.insert(4, event(4.5, "cancel", batch="b", node="two"))


def find_it_deleted_at_another_node(events, ledger, deliveries):
    events.insert(7, event(7.5, "delete", batch="b", node="two"))


def lack_lines_on_another_node(events, ledger, deliveries):
    events.insert(8, event(8.2, "results", batch="b", lines=[line(ITEMS[0])], is_whole=True, account="anna", node="two"))


def list_what_was_before(events, ledger, deliveries):
    events.insert(2, event(2.5, "list", page={"batches": [], "has_more": False}, account="anna", node="two"))


def skip_one_between_pages(events, ledger, deliveries):
    events[18]["ids"] = []


def show_one_on_two_pages(events, ledger, deliveries):
    events[18]["ids"] = ["bobs", "bobs"]


def show_a_foreign_canary(events, ledger, deliveries):
    events[20]["canaries"] = ["canary-anna-1"]


def tell_a_foreign_canary(events, ledger, deliveries):
    deliveries[0]["body"] = deliveries[0]["body"].replace("}", ', "x": "canary-bob-1"}', 1)


def tell_that_it_is_anothers(events, ledger, deliveries):
    events[15]["theirs"] = [403, {}, "no ID"]


def give_one_batch_to_two(events, ledger, deliveries):
    events[16]["batch"] = "b"


def list_what_is_anothers(events, ledger, deliveries):
    events[19]["page"]["batches"].append(shown(succeeded=3))


def page_through_what_is_anothers(events, ledger, deliveries):
    events[18]["ids"].append("b")


def take_one_too_many(events, ledger, deliveries):
    events += [event(1.5, "create", items=["item-0000007"], key=None, batch="c", account="anna", dialect="openai", node="one"),
               event(2, "look", batch="c", shown=shown("running", running=1) | {"id": "c"}, node="one")]


def list_one_too_many(events, ledger, deliveries):
    events[10]["page"]["batches"] = [shown("running", running=1) | {"dialect": "openai", "id": id} for id in ("c", "d")]


def take_none(events, ledger, deliveries):
    events.append(event(0.3, "limit", account="cleo", dialect="openai", most=1))
    events.append(event(5, "create", "refused", items=["item-0000007"], key=None, status=429, body="", account="cleo", dialect="openai"))


def show_a_secret(events, ledger, deliveries):
    events[4]["secrets"] = ["the key of anna"]


def log_a_secret(events, ledger, deliveries):
    events.append(event(10, "secret_out", secret="the key of anna", where="the log"))


def follow_a_redirect(events, ledger, deliveries):
    events.append(event(10, "led_astray", by="a redirect", to="/trap"))


BROKEN = [
    (lose_the_batch, "accepted_means_durable"), (lose_an_item, "accepted_means_durable"),
    (show_half_of_an_unknown_create, "all_or_nothing"), (make_two_batches_of_one_key, "a_key_makes_one_batch"),
    (double_a_line, "one_result_for_each_item"), (leave_a_line_out, "one_result_for_each_item"), (count_wrongly, "counts_add_up"),
    (go_back, "states_go_forward"), (change_a_line, "results_are_stable"), (answer_for_another_item, "answers_have_a_source"),
    (invent_an_answer, "answers_have_a_source"), (ask_without_end, "retries_are_bounded"),
    (answer_twice_without_a_reason, "retries_are_bounded"), (ask_again_what_was_answered, "what_was_written_is_not_asked_again"),
    (ask_again_what_was_read, "what_was_written_is_not_asked_again"), (ask_after_the_end, "no_work_after_the_end"),
    (ask_after_a_cancel, "no_work_after_the_end"),
    (go_on_after_a_cancel, "a_cancel_ends_the_batch"), (expire_what_was_canceled, "a_cancel_ends_the_batch"),
    (show_a_deleted_batch, "deleted_means_gone"),
    (leave_bytes_of_a_deleted_batch, "deleted_means_gone"), (bill_twice, "usage_is_of_results"), (never_end, "all_ends_in_time"),
    (end_before_the_beginning, "times_are_in_order"), (answer_500, "errors_are_honest"), (refuse_what_is_right, "errors_are_honest"),
    (refuse_a_good_file, "errors_are_honest"),
    (cut_a_line, "streams_are_whole"),
    (let_it_live_on, "what_expires_ends_in_time"), (expire_it_early, "what_expires_ends_in_time"),
    (end_with_something_unfinished, "what_expires_ends_in_time"), (fail_without_asking, "failures_have_a_reason"),
    (fail_what_was_answered, "failures_have_a_reason"), (take_an_answer_that_was_cut, "answers_have_a_source"),
    (come_again_early, "waits_are_kept"), (tell_nobody, "webhooks_tell_each_end_once"), (tell_under_two_ids, "webhooks_tell_each_end_once"),
    (tell_what_was_taken, "webhooks_tell_each_end_once"), (tell_before_it_shows, "webhooks_tell_each_end_once"),
    (tell_another_account, "webhooks_tell_each_end_once"), (tell_who_did_not_ask, "webhooks_tell_each_end_once"),
    (change_a_body, "webhooks_tell_each_end_once"), (change_a_body, "deliveries_are_signed"),
    (sign_with_another_secret, "deliveries_are_signed"), (sign_long_before, "deliveries_are_signed"),
    (put_the_token_out, "deliveries_are_signed"), (fall_behind_on_another_node, "nodes_agree"), (lose_it_on_another_node, "nodes_agree"),
    (go_on_at_another_node, "nodes_agree"), (find_it_deleted_at_another_node, "nodes_agree"), (lack_lines_on_another_node, "nodes_agree"),
    (list_what_was_before, "writes_are_read_everywhere"),
    (skip_one_between_pages, "pages_are_the_whole_list"), (show_one_on_two_pages, "pages_are_the_whole_list"),
    (show_a_foreign_canary, "nobody_sees_anothers"), (tell_a_foreign_canary, "nobody_sees_anothers"),
    (tell_that_it_is_anothers, "nobody_sees_anothers"), (give_one_batch_to_two, "nobody_sees_anothers"),
    (list_what_is_anothers, "nobody_sees_anothers"), (page_through_what_is_anothers, "nobody_sees_anothers"),
    (take_one_too_many, "limits_hold"), (list_one_too_many, "limits_hold"), (take_none, "limits_hold"), (show_a_secret, "secrets_stay_in"),
    (log_a_secret, "secrets_stay_in"), (follow_a_redirect, "calls_go_where_they_were_sent"),
]


@pytest.mark.parametrize(("spoil", "name"), BROKEN, ids=[f"{spoil.__name__}-{name}" for spoil, name in BROKEN])
def test_what_is_broken_is_named(spoil, name):
    history = copy.deepcopy(good())
    spoil(*history)
    assert name in names_found(*history)


def test_what_was_answered_while_a_fault_lasted_may_be_asked_again():
    events, ledger, deliveries = good()
    events[2].update(t=0.5, number=7)
    ledger.append(ledger[0] | {"arrived_us": 3_400_000, "ended_us": 3_450_000})
    assert names_found(events, ledger, deliveries) == {"what_was_written_is_not_asked_again"}
    events.append(event(2.55, "mended", kill=7))
    assert names_found(events, ledger, deliveries) == set()


def test_a_node_that_wakes_may_ask_for_what_is_over_for_a_moment():
    events, ledger, deliveries = good()
    ledger.append(ledger[0] | {"arrived_us": 9_000_000, "ended_us": 9_100_000})
    assert "no_work_after_the_end" in names_found(events, ledger, deliveries)
    events.append(event(8.9, "wake"))
    assert names_found(events, ledger, deliveries) == set()
    events[-1]["t"] = 5.5
    assert "no_work_after_the_end" in names_found(events, ledger, deliveries)


def test_a_fault_of_another_time_explains_no_second_run():
    events, ledger, deliveries = good()
    events[2]["t"] = 2.45
    runs = [ledger[0] | {"arrived_us": at, "ended_us": at + 500_000} for at in (2_500_000, 2_510_000, 2_520_000, 2_530_000)]
    assert names_found(events, ledger[1:] + runs, deliveries) == {"retries_are_bounded"}
    events[2]["t"] = 2.505
    assert names_found(events, ledger[1:] + runs, deliveries) == set()


def test_what_an_unknown_create_left_is_of_that_create():
    events, ledger, deliveries = good()
    events.insert(0, event(0.5, "create", "unknown", items=["item-0000008"], key=None, account="anna"))
    events[11]["page"]["batches"].append(shown(succeeded=1) | {"id": "whole"})
    events.append(event(10, "results", batch="whole", lines=[line("item-0000008")], is_whole=True, account="anna"))
    ledger.append(ledger[0] | {"id": "item-0000008"})
    assert names_found(events, ledger, deliveries) == set()
    events[-1]["lines"] = [line("item-0000009")]
    assert "all_or_nothing" in names_found(events, ledger, deliveries)


def test_every_invariant_can_be_broken():
    assert {name for _, name in BROKEN} == {invariant.__name__ for invariant in INVARIANTS}
