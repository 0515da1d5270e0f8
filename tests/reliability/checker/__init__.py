"""Judges a server from outside: by the history of its clients and the ledgers of its model server and its webhooks' targets.

Knows nothing of the server but what it answered. What is broken is told with the name of its invariant; the names are those of
docs/reliability.md.
"""
from collections.abc import Sequence

from .accounts import limits_hold, nobody_sees_anothers, secrets_stay_in
from .batches import (a_cancel_ends_the_batch, a_key_makes_one_batch, accepted_means_durable, all_ends_in_time, all_or_nothing,
                      counts_add_up, deleted_means_gone, one_result_for_each_item, results_are_stable, states_go_forward,
                      streams_are_whole, times_are_in_order)
from .calls import (calls_go_where_they_were_sent, errors_are_honest, nodes_agree, pages_are_the_whole_list,
                    writes_are_read_everywhere)
from .expiry import what_expires_ends_in_time
from .webhooks import deliveries_are_signed, webhooks_tell_each_end_once
from .work import (answers_have_a_source, failures_have_a_reason, no_work_after_the_end, retries_are_bounded, usage_is_of_results,
                   waits_are_kept, what_was_written_is_not_asked_again)
from .world import World

INVARIANTS = (accepted_means_durable, all_or_nothing, a_key_makes_one_batch, one_result_for_each_item, counts_add_up, states_go_forward,
              results_are_stable, answers_have_a_source, failures_have_a_reason, retries_are_bounded, waits_are_kept,
              what_was_written_is_not_asked_again, no_work_after_the_end, a_cancel_ends_the_batch, what_expires_ends_in_time,
              deleted_means_gone, usage_is_of_results, webhooks_tell_each_end_once, deliveries_are_signed, nodes_agree,
              writes_are_read_everywhere, pages_are_the_whole_list, nobody_sees_anothers, limits_hold, all_ends_in_time,
              times_are_in_order, errors_are_honest, streams_are_whole, secrets_stay_in, calls_go_where_they_were_sent)


def check(events: list[dict], ledger: list[dict], attempts_max: int = 6, deliveries: Sequence[dict] = ()) -> list[str]:
    """What was broken: "NAME: what"."""
    world = World(events, ledger, attempts_max, deliveries)
    return [f"{invariant.__name__}: {found}" for invariant in INVARIANTS for found in invariant(world)]
