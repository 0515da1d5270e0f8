#include "store/store_conformance.h"

// Batches beside one another, items by their names, and what else more than one dialect asks for.
namespace sheaf::store {
namespace {

using core::BatchEvent;
using core::BatchState;
using core::EndReason;
using core::ItemState;
using namespace std::chrono_literals;

std::vector<BatchId> ids_of(const CursorPage& page) {
    std::vector<BatchId> ids;
    for (const core::Batch& row : page.rows) ids.push_back(row.id);
    return ids;
}

// A batch of `count` items that was refused as a whole.
BatchDraft a_rejected_draft() {
    BatchDraft draft = ABatch(1).draft();
    draft.items.clear();
    draft.batch.state = BatchState::ended;
    draft.batch.end_reason = EndReason::rejected;
    draft.batch.ended_at = kNow + 1s;
    return draft;
}

}  // namespace

TEST_P(BatchesConformance, ListsBesideABatchGoInTheOrderOfCreation) {
    // Created within one instant: the times do not tell the order.
    std::vector<BatchId> oldest_first;
    for (int at = 0; at < 5; ++at) oldest_first.push_back(created(ABatch(1)).id);
    created(ABatch(1).in("other"));
    created(ABatch(1).of(kBob));
    created(ABatch(1).of_kind(core::BatchKind::task));
    const std::vector<BatchId> newest_first(oldest_first.rbegin(), oldest_first.rend());

    const auto page = [&](std::optional<BatchId> older_than, std::optional<BatchId> newer_than,
                          std::uint32_t count) {
        return batches().list_beside({kAlice, "test", older_than, newer_than, count}).value();
    };
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(ids_of(page({}, {}, 9)), newest_first);
        EXPECT_FALSE(page({}, {}, 5).has_more);
        EXPECT_TRUE(page({}, {}, 4).has_more);

        const CursorPage older = page(newest_first[1], {}, 2);
        EXPECT_EQ(ids_of(older), std::vector(newest_first.begin() + 2, newest_first.begin() + 4));
        EXPECT_TRUE(older.has_more);
        EXPECT_TRUE(page(newest_first[4], {}, 2).rows.empty());

        const CursorPage newer = page({}, newest_first[3], 2);
        EXPECT_EQ(ids_of(newer), std::vector(newest_first.begin() + 1, newest_first.begin() + 3))
            << "those next to the cursor, newest first";
        EXPECT_TRUE(newer.has_more);
        EXPECT_FALSE(page({}, newest_first[2], 2).has_more);

        const CursorPage between = page(newest_first[0], newest_first[4], 2);
        EXPECT_EQ(ids_of(between), std::vector(newest_first.begin() + 1, newest_first.begin() + 3));
        EXPECT_TRUE(between.has_more);
        EXPECT_FALSE(page(newest_first[0], newest_first[4], 3).has_more);
        if (!reopen()) break;
    }
    EXPECT_EQ(batches().list_beside({kAlice, "", {}, {}, 20})->rows.size(), 6U) << "of all dialects";
}

TEST_P(BatchesConformance, ACursorThatIsNotKnownGivesNoRows) {
    const core::Batch mine = created(ABatch(1));
    const core::Batch foreign = created(ABatch(1).of(kBob));
    for (const BatchId& unknown : {make_batch_id(kNow), foreign.id}) {
        for (const bool older : {false, true}) {
            CursorQuery query{.account = kAlice, .dialect = "test", .older_than = {}, .newer_than = {}};
            (older ? query.older_than : query.newer_than) = unknown;
            const auto page = batches().list_beside(query).value();
            EXPECT_TRUE(page.cursor_unknown);
            EXPECT_TRUE(page.rows.empty());
            EXPECT_FALSE(page.has_more);
        }
    }
    EXPECT_FALSE(batches().list_beside({kAlice, "test", mine.id, {}, 20})->cursor_unknown);
}

TEST_P(BatchesConformance, ARemovedBatchKeepsItsPlaceForSixtyDays) {
    std::vector<BatchId> ids;
    for (int at = 0; at < 3; ++at) ids.push_back(created(ABatch(1)).id);
    for (const std::size_t at : {1UZ, 2UZ}) {
        run_to_the_end(ids[at]);
        ASSERT_TRUE(batches().remove(ids[at]));
    }
    // Takes no removed one's place.
    ids.push_back(created(ABatch(1)).id);
    const auto beside = [&](std::optional<BatchId> older_than, std::optional<BatchId> newer_than) {
        return batches().list_beside({kAlice, "test", older_than, newer_than, 20}).value();
    };
    for (int round = 0; round < 2; ++round) {
        for (const std::size_t at : {1UZ, 2UZ}) {
            EXPECT_EQ(ids_of(beside(ids[at], {})), std::vector{ids[0]});
            EXPECT_EQ(ids_of(beside({}, ids[at])), std::vector{ids[3]});
            EXPECT_TRUE(batches().list_beside({kBob, "test", ids[at], {}, 20})->cursor_unknown);
        }
        ASSERT_TRUE(batches().forget_old(kNow + 24h * 60 - 1ms));
        if (!reopen()) break;
    }
    ASSERT_TRUE(batches().forget_old(kNow + 24h * 60));
    EXPECT_TRUE(beside(ids[1], {}).cursor_unknown);
    EXPECT_FALSE(beside(ids[0], {}).cursor_unknown) << "what is there keeps its place";
}

TEST_P(BatchesConformance, ANamedItemIsFound) {
    const core::Batch batch = created(ABatch(3).named());
    const core::Batch other = created(ABatch(3).named());
    finished(claimed(batch.id, 2));
    for (int round = 0; round < 2; ++round) {
        const auto item = batches().find_named(kAlice, batch.id, "c-1");
        ASSERT_TRUE(item);
        EXPECT_EQ(item->item.id, batch.id.item(1));
        EXPECT_EQ(item->item.state, ItemState::succeeded);
        EXPECT_EQ(item->batch.counts.succeeded, 2U);
        EXPECT_EQ(batches().find_named(kAlice, other.id, "c-1")->item.id, other.id.item(1));
        if (!reopen()) break;
    }
    EXPECT_EQ(batches().find_named(kAlice, batch.id, "c-3").error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().find_named(kAlice, batch.id, "").error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().find_named(kBob, batch.id, "c-1").error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().find_named(kAlice, make_batch_id(kNow), "c-1").error().code, ErrorCode::not_found);
}

TEST_P(BatchesConformance, HeadsAreReadFromAnyItemOn) {
    const core::Batch batch = created(ABatch(5));
    finished(claimed(batch.id, 1));
    claimed(batch.id, 1);
    const auto heads = batches().read_heads(batch.id, 0, 100).value();
    ASSERT_EQ(heads.size(), 5U);
    const std::vector states{ItemState::succeeded, ItemState::running, ItemState::queued, ItemState::queued,
                             ItemState::queued};
    for (std::uint32_t at = 0; at < 5; ++at) {
        EXPECT_EQ(heads[at].id, batch.id.item(at));
        EXPECT_EQ(heads[at].custom_id, "c-" + std::to_string(at));
        EXPECT_EQ(heads[at].state, states[at]);
        EXPECT_EQ(heads[at].finished_at.has_value(), at == 0);
    }
    const auto some = batches().read_heads(batch.id, 3, 1).value();
    ASSERT_EQ(some.size(), 1U);
    EXPECT_EQ(some[0].id, batch.id.item(3));
    EXPECT_TRUE(batches().read_heads(batch.id, 5, 100)->empty());
    EXPECT_TRUE(batches().read_heads(batch.id, kItemsMax, 100)->empty());
    EXPECT_EQ(batches().read_heads(make_batch_id(kNow), 0, 1).error().code, ErrorCode::not_found);
}

TEST_P(BatchesConformance, ARejectedBatchIsStoredAsItIs) {
    BatchDraft draft = a_rejected_draft();
    draft.batch.shared = "why";
    const BatchId id = draft.batch.id;
    ASSERT_TRUE(batches().create(draft, batches().new_body().value()));
    for (int round = 0; round < 2; ++round) {
        const core::Batch batch = found(id);
        EXPECT_EQ(batch.state, BatchState::ended);
        EXPECT_EQ(batch.end_reason, EndReason::rejected);
        EXPECT_EQ(batch.ended_at, kNow + 1s);
        EXPECT_EQ(batch.shared, "why");
        EXPECT_EQ(batch.counts, core::Counts{});
        EXPECT_EQ(batch.results_bytes, 0U);
        EXPECT_TRUE(batches().unfinished()->empty());
        EXPECT_TRUE(batches().unpublished()->empty());
        EXPECT_TRUE(all_lines(id).empty());
        EXPECT_TRUE(batches().read_heads(id, 0, 9)->empty());
        EXPECT_EQ(results_of(id), "");
        EXPECT_EQ(batches().list_beside({kAlice, "test", {}, {}, 20})->rows.size(), 1U);
        if (!reopen()) break;
    }
    EXPECT_EQ(batches().apply(id, BatchEvent::cancel_requested, kNow).error().code, ErrorCode::conflict);
    ASSERT_TRUE(batches().archive(id, kNow + 2s));
    EXPECT_EQ(batches().open_results(id).error().code, ErrorCode::not_found);
    ASSERT_TRUE(batches().remove(id));
}

TEST_P(BatchesConformance, OnlyARejectedDraftHasNoItems) {
    const auto refused = [&](const BatchDraft& draft) {
        const auto stored = batches().create(draft, batches().new_body().value());
        EXPECT_EQ(batches().find(kAlice, draft.batch.id).error().code, ErrorCode::not_found);
        return !stored && stored.error().code == ErrorCode::invalid;
    };
    BatchDraft draft = a_rejected_draft();
    draft.items.push_back({});
    EXPECT_TRUE(refused(draft));
    draft = a_rejected_draft();
    draft.batch.end_reason = EndReason::completed;
    EXPECT_TRUE(refused(draft));
    draft = a_rejected_draft();
    draft.batch.ended_at.reset();
    EXPECT_TRUE(refused(draft)) << "it does not tell when it ended";
}

TEST_P(BatchesConformance, ADraftMayTakeItsIdempotencyKeyFromAnother) {
    IdempotencyRecord record{kAlice, "POST /batches", "k", "first", 200, "{}", kNow + 1h};
    created(ABatch(1).with_idempotency(record));
    record.request_hash = "second";
    BatchDraft draft = ABatch(1).with_idempotency(record).draft();
    draft.idempotency_replaces = true;
    auto body = batches().new_body().value();
    ASSERT_TRUE(body->append(std::string(100, 'x')));
    ASSERT_TRUE(batches().create(draft, std::move(body)));
    EXPECT_EQ(batches().find_idempotent(kAlice, "POST /batches", "k").value()->request_hash, "second");

    record.request_hash = "third";
    draft = ABatch(1).with_id(draft.batch.id).with_idempotency(record).draft();
    draft.idempotency_replaces = true;
    body = batches().new_body().value();
    ASSERT_TRUE(body->append(std::string(100, 'x')));
    EXPECT_EQ(batches().create(draft, std::move(body)).error().code, ErrorCode::conflict) << "of its id";
    EXPECT_EQ(batches().find_idempotent(kAlice, "POST /batches", "k").value()->request_hash, "second");
}

TEST_P(BatchesConformance, TokensOfItemsThatSucceededAreSummedUp) {
    const core::Batch batch = created(ABatch(3));
    const auto leases = claimed(batch.id, 2);
    std::vector results{result_of(leases[0]), result_of(leases[1])};
    results[0].usage = {.input_tokens = 7, .output_tokens = 5, .cached_tokens = 3, .reasoning_tokens = 1};
    results[1].usage = {.input_tokens = 1, .output_tokens = 2};
    ASSERT_TRUE(items().finish(results));
    const core::Usage sum{.input_tokens = 8, .output_tokens = 7, .cached_tokens = 3, .reasoning_tokens = 1};
    EXPECT_EQ(found(batch.id).usage, sum);
    ASSERT_TRUE(items().finish(results)) << "their leases are lost by now";
    EXPECT_EQ(found(batch.id).usage, sum);
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::expired, kNow));
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(found(batch.id).usage, sum);
        if (!reopen()) break;
    }
}

TEST_P(BatchesConformance, AnAbortEndsTheBatchAndWhatRuns) {
    for (const bool canceled_before : {false, true}) {
        const core::Batch batch = created(ABatch(4));
        const auto leases = claimed(batch.id, 2);
        finished({leases[0]});
        if (canceled_before) ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
        const auto aborted = batches().apply(batch.id, BatchEvent::abort_requested, kNow + 1s);
        ASSERT_TRUE(aborted);
        EXPECT_EQ(aborted->state, BatchState::ended);
        EXPECT_EQ(aborted->end_reason, EndReason::canceled);
        EXPECT_EQ(aborted->counts, (core::Counts{.succeeded = 1, .canceled = 3}));
        EXPECT_EQ(aborted->cancel_requested_at, canceled_before ? kNow : kNow + 1s) << "of the first request";
        EXPECT_EQ(finished({leases[1]}).recorded, std::vector{Recorded::lease_lost});
        EXPECT_EQ(batches().find_item(kAlice, batch.id.item(1))->item.state, ItemState::canceled);
        EXPECT_TRUE(claimed(batch.id, 9).empty());
        EXPECT_EQ(batches().apply(batch.id, BatchEvent::abort_requested, kNow).error().code,
                  ErrorCode::conflict);
        if (reopen()) EXPECT_EQ(found(batch.id).cancel_requested_at, aborted->cancel_requested_at);
    }
}

TEST_P(BatchesConformance, ABatchThatIsKeptForATimeGoesThatLongAfterItsEnd) {
    const core::Batch batch = created(ABatch(1).kept_for(2h).purged_at(core::kNever));
    EXPECT_EQ(found(batch.id).keep_for, 2h);
    EXPECT_EQ(found(batch.id).purge_at, core::kNever);
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::expired, kNow + 1h));
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(found(batch.id).purge_at, kNow + 3h);
        EXPECT_TRUE(batches().due_for_purge(kNow + 3h - 1ms, 9)->empty());
        EXPECT_EQ(batches().due_for_purge(kNow + 3h, 9)->size(), 1U);
        if (!reopen()) break;
    }
}

}  // namespace sheaf::store
