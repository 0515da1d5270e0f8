#include <atomic>
#include <thread>

#include "store/store_conformance.h"

namespace sheaf::store {
namespace {

using core::BatchEvent;
using core::BatchState;
using core::EndReason;
using core::ItemState;
using namespace std::chrono_literals;

IdempotencyRecord a_record(std::string key = "k") {
    return {kAlice, "POST /batches", std::move(key), "hash", 201, "{\"id\":1}", kNow + 1h};
}

std::vector<BatchId> ids_of(const std::vector<core::Batch>& rows) {
    std::vector<BatchId> ids;
    for (const core::Batch& row : rows) ids.push_back(row.id);
    return ids;
}

}  // namespace

TEST_P(BatchesConformance, WhatWasCreatedIsFound) {
    const ABatch batch = ABatch(3).tagged("t");
    const core::Batch stored = created(batch);
    EXPECT_EQ(stored.state, BatchState::accepted);
    EXPECT_EQ(stored.counts, (core::Counts{.queued = 3}));
    for (int round = 0; round < 2; ++round) {
        const core::Batch read = found(batch.id());
        EXPECT_EQ(read.id, batch.id());
        EXPECT_EQ(read.account, kAlice);
        EXPECT_EQ(read.dialect, "test");
        EXPECT_EQ(read.model, "a-model");
        EXPECT_EQ(read.tag, "t");
        EXPECT_EQ(read.shared, "{\"shared\":true}");
        EXPECT_EQ(read.counts, stored.counts);
        EXPECT_EQ(read.created_at, kNow);
        EXPECT_EQ(read.expires_at, kNow + 24h);
        EXPECT_FALSE(read.ended_at);
        EXPECT_FALSE(read.results_bytes);
        for (std::uint32_t at = 0; at < 3; ++at) {
            EXPECT_EQ(batches().read_item_body(batch.id().item(at)).value(), batch.body_of(at));
            const auto item = batches().find_item(kAlice, batch.id().item(at));
            ASSERT_TRUE(item);
            EXPECT_EQ(item->item.custom_id, "c-" + std::to_string(at));
            EXPECT_EQ(item->item.state, ItemState::queued);
            EXPECT_EQ(item->batch.id, batch.id());
        }
        if (!reopen()) break;
    }
}

TEST_P(BatchesConformance, LargeAndEmptyBodiesComeBackAsTheyWere) {
    for (const std::size_t bytes : {0UZ, 1UZ, 100'000UZ, 3'000'000UZ}) {
        const ABatch batch = ABatch(2).with_bodies_of(bytes);
        created(batch);
        EXPECT_TRUE(batches().read_item_body(batch.id().item(1)).value() == batch.body_of(1)) << bytes;
        const auto leases = claimed(batch.id(), 2);
        ASSERT_EQ(leases.size(), 2U);
        EXPECT_TRUE(leases[1].body == batch.body_of(1)) << bytes;
    }
    const ABatch empty(1);
    BatchDraft draft = empty.draft();
    draft.items[0].body_offset = 0;
    draft.items[0].body_bytes = 0;
    ASSERT_TRUE(batches().create(std::move(draft), batches().new_body().value()));
    EXPECT_EQ(batches().read_item_body(empty.id().item(0)).value(), "");
}

TEST_P(BatchesConformance, CustomIdsMayBeAbsentAndHoldAnything) {
    const ABatch batch(2);
    BatchDraft draft = batch.draft();
    draft.items[0].custom_id.reset();
    draft.items[1].custom_id = std::string("a\0'\"\n\xc3\xa4", 8);
    auto body = batches().new_body().value();
    ASSERT_TRUE(body->append(std::string(100, 'x')));
    ASSERT_TRUE(batches().create(draft, std::move(body)));
    EXPECT_EQ(batches().find_item(kAlice, batch.id().item(0))->item.custom_id, std::nullopt);
    EXPECT_EQ(batches().find_item(kAlice, batch.id().item(1))->item.custom_id, draft.items[1].custom_id);
}

TEST_P(BatchesConformance, ACreateThatFailsLeavesNothing) {
    const ABatch taken(1);
    created(taken);
    EXPECT_EQ(ABatch(2).with_id(taken.id()).create(store()).error().code, ErrorCode::conflict);
    EXPECT_EQ(found(taken.id()).counts.total(), 1U);
    EXPECT_EQ(batches().read_item_body(taken.id().item(0)).value(), taken.body_of(0))
        << "the first body stays";

    const ABatch large = ABatch(2).with_bodies_of(100'000);
    created(large);
    EXPECT_EQ(ABatch(3).with_bodies_of(90'000).with_id(large.id()).create(store()).error().code,
              ErrorCode::conflict);
    EXPECT_TRUE(batches().read_item_body(large.id().item(1)).value() == large.body_of(1));

    const ABatch outside(1);
    BatchDraft draft = outside.draft();
    draft.items[0].body_offset = 1000;
    EXPECT_EQ(batches().create(draft, batches().new_body().value()).error().code, ErrorCode::invalid);
    EXPECT_EQ(batches().find(kAlice, outside.id()).error().code, ErrorCode::not_found);

    draft.items.clear();
    EXPECT_EQ(batches().create(draft, batches().new_body().value()).error().code, ErrorCode::invalid);
    EXPECT_EQ(batches().find(kAlice, outside.id()).error().code, ErrorCode::not_found);
}

TEST_P(BatchesConformance, ABodyThatIsNotTakenLeavesNothing) {
    for (const std::size_t bytes : {10UZ, 1'000'000UZ}) {
        auto body = batches().new_body().value();
        ASSERT_TRUE(body->append(std::string(bytes, 'x')));
        body.reset();
    }
    EXPECT_EQ(batches().list({kAlice, "test", {}, {}, {}})->total, 0U);
}

TEST_P(BatchesConformance, AnotherAccountSeesNothing) {
    const ABatch batch(1);
    created(batch);
    EXPECT_EQ(batches().find(kBob, batch.id()).error().code, ErrorCode::not_found);
    EXPECT_FALSE(batches().cached(kBob, batch.id()));
    EXPECT_EQ(batches().find_item(kBob, batch.id().item(0)).error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().list({kBob, "test", {}, {}, {}})->total, 0U);
    EXPECT_EQ(batches().list_items({kBob, "test", {}, {}, {}, {}})->total, 0U);
    EXPECT_EQ(batches().find(kAlice, make_batch_id(kNow)).error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().find_item(kAlice, batch.id().item(1)).error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().read_item_body(batch.id().item(1)).error().code, ErrorCode::not_found);
}

TEST_P(BatchesConformance, TheLimitOnActiveBatchesCountsUnfinishedOnesOfTheAccountAndDialect) {
    const ABatch first = ABatch(1).with_active_max(2);
    created(first);
    created(ABatch(1).with_active_max(2));
    created(ABatch(1).of_kind(core::BatchKind::task).with_active_max(2));
    created(ABatch(1).of(kBob).with_active_max(1));
    created(ABatch(1).in("another").with_active_max(1));
    EXPECT_EQ(ABatch(1).with_active_max(2).create(store()).error().code, ErrorCode::exhausted);
    created(ABatch(1).with_active_max(0));
    run_to_the_end(first.id());
    EXPECT_EQ(ABatch(1).with_active_max(2).create(store()).error().code, ErrorCode::exhausted);
    created(ABatch(1).with_active_max(3));
}

TEST_P(BatchesConformance, TheLimitOnActiveBatchesHoldsAgainstSixteenThreads) {
    constexpr std::uint32_t kActiveMax = 7;
    std::atomic<std::uint32_t> made = 0;
    std::atomic<std::uint32_t> refused = 0;
    {
        std::vector<std::jthread> threads;
        for (int at = 0; at < 16; ++at) {
            threads.emplace_back([&] {
                for (int round = 0; round < 3; ++round) {
                    const auto batch = ABatch(1).with_active_max(kActiveMax).create(store());
                    if (batch) {
                        ++made;
                    } else if (batch.error().code == ErrorCode::exhausted) {
                        ++refused;
                    }
                }
            });
        }
    }
    EXPECT_EQ(made, kActiveMax);
    EXPECT_EQ(refused, 48 - kActiveMax);
    EXPECT_EQ(batches().unfinished()->size(), kActiveMax);
}

TEST_P(BatchesConformance, AnIdempotencyKeyIsTakenOnce) {
    const ABatch batch = ABatch(1).with_idempotency(a_record());
    created(batch);
    const ABatch second = ABatch(1).with_idempotency(a_record());
    EXPECT_EQ(second.create(store()).error().code, ErrorCode::conflict);
    EXPECT_EQ(batches().find(kAlice, second.id()).error().code, ErrorCode::not_found);
    EXPECT_EQ(batches().remember_idempotent(a_record()).error().code, ErrorCode::conflict);

    const auto record = batches().find_idempotent(kAlice, "POST /batches", "k").value();
    ASSERT_TRUE(record);
    EXPECT_EQ(record->request_hash, "hash");
    EXPECT_EQ(record->status, 201);
    EXPECT_EQ(record->response, "{\"id\":1}");
    EXPECT_EQ(record->expires_at, kNow + 1h);
    EXPECT_FALSE(batches().find_idempotent(kBob, "POST /batches", "k").value());
    EXPECT_FALSE(batches().find_idempotent(kAlice, "POST /other", "k").value());
    EXPECT_FALSE(batches().find_idempotent(kAlice, "POST /batches", "K").value());
}

TEST_P(BatchesConformance, AFailedCreateDoesNotTakeTheIdempotencyKey) {
    created(ABatch(1));
    EXPECT_FALSE(ABatch(1).with_active_max(1).with_idempotency(a_record()).create(store()));
    EXPECT_FALSE(batches().find_idempotent(kAlice, "POST /batches", "k").value());
}

TEST_P(BatchesConformance, IdempotencyRecordsAreForgottenWhenTheirTimeIsOver) {
    ASSERT_TRUE(batches().remember_idempotent(a_record("a")));
    ASSERT_TRUE(batches().forget_old(kNow + 1h - 1ms));
    EXPECT_TRUE(batches().find_idempotent(kAlice, "POST /batches", "a").value());
    ASSERT_TRUE(batches().forget_old(kNow + 1h));
    EXPECT_FALSE(batches().find_idempotent(kAlice, "POST /batches", "a").value());
    EXPECT_TRUE(batches().remember_idempotent(a_record("a")));
}

TEST_P(BatchesConformance, OneIdempotencyKeyMakesOneBatchHoweverManyTry) {
    std::atomic<int> made = 0;
    {
        std::vector<std::jthread> threads;
        for (int at = 0; at < 8; ++at) {
            threads.emplace_back([&] {
                if (ABatch(1).with_idempotency(a_record()).create(store())) ++made;
            });
        }
    }
    EXPECT_EQ(made, 1);
    EXPECT_EQ(batches().unfinished()->size(), 1U);
}

TEST_P(BatchesConformance, ListsAreNewestFirstAndPaged) {
    std::vector<BatchId> expected;
    for (int at = 0; at < 5; ++at) {
        expected.insert(expected.begin(), created(ABatch(1).created_at(kNow + at * 1s)).id);
    }
    // Two of one instant: the larger id first.
    const core::Batch one = created(ABatch(1).created_at(kNow + 9s));
    const core::Batch other = created(ABatch(1).created_at(kNow + 9s));
    expected.insert(expected.begin(), {std::max(one.id, other.id), std::min(one.id, other.id)});
    created(ABatch(1).of_kind(core::BatchKind::task));
    created(ABatch(1).in("other"));

    const auto all = batches().list({kAlice, "test", {}, {}, {0, 50}}).value();
    EXPECT_EQ(ids_of(all.rows), expected);
    EXPECT_EQ(all.total, 7U);
    const auto page = batches().list({kAlice, "test", {}, {}, {2, 3}}).value();
    EXPECT_EQ(ids_of(page.rows), std::vector(expected.begin() + 2, expected.begin() + 5));
    EXPECT_EQ(page.total, 7U);
    EXPECT_TRUE(batches().list({kAlice, "test", {}, {}, {7, 3}})->rows.empty());
    EXPECT_TRUE(batches().list({kAlice, "test", {}, {}, {0, 0}})->rows.empty());
}

TEST_P(BatchesConformance, ListsAreFilteredByStateReasonAndTag) {
    const core::Batch accepted = created(ABatch(1).tagged("a"));
    const core::Batch canceled = created(ABatch(1).tagged("b\"\\"));
    ASSERT_TRUE(batches().apply(canceled.id, BatchEvent::cancel_requested, kNow));
    const core::Batch expired = created(ABatch(1).tagged("a"));
    ASSERT_TRUE(batches().apply(expired.id, BatchEvent::expired, kNow));
    const core::Batch running = created(ABatch(2));
    claimed(running.id, 1);

    const auto total = [&](std::vector<StateFilter> states, std::vector<std::string> tags) {
        return batches().list({kAlice, "test", std::move(states), std::move(tags), {}})->total;
    };
    EXPECT_EQ(total({}, {}), 4U);
    EXPECT_EQ(total({{BatchState::accepted}}, {}), 1U);
    EXPECT_EQ(total({{BatchState::accepted}, {BatchState::running}}, {}), 2U);
    EXPECT_EQ(total({{BatchState::ended, EndReason::canceled}}, {}), 1U);
    EXPECT_EQ(total({{BatchState::ended, EndReason::canceled}, {BatchState::ended, EndReason::expired}}, {}),
              2U);
    EXPECT_EQ(total({{BatchState::ended, EndReason::completed}}, {}), 0U);
    EXPECT_EQ(total({}, {"a"}), 2U);
    EXPECT_EQ(total({}, {"a", "b\"\\"}), 3U);
    EXPECT_EQ(total({{BatchState::accepted}}, {"b\"\\"}), 0U);
}

TEST_P(BatchesConformance, UnfinishedUnpublishedAndDueBatchesAreFound) {
    const core::Batch late = created(ABatch(1).created_at(kNow + 2s));
    const core::Batch early =
        created(ABatch(1).created_at(kNow + 1s).of(kBob).of_kind(core::BatchKind::task));
    const core::Batch ended = created(ABatch(1).purged_at(kNow + 5s));
    run_to_the_end(ended.id);
    EXPECT_EQ(ids_of(*batches().unfinished()), (std::vector{early.id, late.id})) << "oldest first";
    EXPECT_EQ(ids_of(*batches().unpublished()), std::vector{ended.id});
    ASSERT_TRUE(batches().publish(ended.id, {.render = rendered_line}));
    EXPECT_TRUE(batches().unpublished()->empty());
    EXPECT_TRUE(batches().due_for_purge(kNow + 4s, 10)->empty());
    EXPECT_EQ(ids_of(*batches().due_for_purge(kNow + 5s, 10)), std::vector{ended.id});
    EXPECT_EQ(batches().due_for_purge(kNow + 24h * 100, 2)->size(), 2U);
}

TEST_P(BatchesConformance, ACancelTakesTheQueuedAndLeavesTheRunning) {
    const core::Batch batch = created(ABatch(5));
    const auto leases = claimed(batch.id, 2);
    const auto canceled = batches().apply(batch.id, BatchEvent::cancel_requested, kNow + 1s);
    ASSERT_TRUE(canceled);
    EXPECT_EQ(canceled->state, BatchState::canceling);
    EXPECT_EQ(canceled->counts, (core::Counts{.running = 2, .canceled = 3}));
    EXPECT_EQ(found(batch.id).counts, canceled->counts);
    const auto item = batches().find_item(kAlice, batch.id.item(4))->item;
    EXPECT_EQ(item.state, ItemState::canceled);
    EXPECT_EQ(item.finished_at, kNow + 1s);
    EXPECT_EQ(batches().apply(batch.id, BatchEvent::cancel_requested, kNow).error().code,
              ErrorCode::conflict);

    const FinishReport report = finished(leases);
    ASSERT_EQ(report.ended.size(), 1U);
    EXPECT_EQ(report.ended[0].end_reason, EndReason::canceled);
    EXPECT_EQ(report.ended[0].counts, (core::Counts{.succeeded = 2, .canceled = 3}));
}

TEST_P(BatchesConformance, ACancelWithNothingRunningEndsAtOnce) {
    const core::Batch batch = created(ABatch(5));
    const auto canceled = batches().apply(batch.id, BatchEvent::cancel_requested, kNow + 1s);
    ASSERT_TRUE(canceled);
    EXPECT_EQ(canceled->state, BatchState::ended);
    EXPECT_EQ(canceled->end_reason, EndReason::canceled);
    EXPECT_EQ(canceled->ended_at, kNow + 1s);
    EXPECT_TRUE(claimed(batch.id, 5).empty());
}

TEST_P(BatchesConformance, ExpiryTakesTheRunningToo) {
    const core::Batch batch = created(ABatch(4));
    auto leases = claimed(batch.id, 3);
    finished({leases[0]});
    const auto expired = batches().apply(batch.id, BatchEvent::expired, kNow + 1s);
    ASSERT_TRUE(expired);
    EXPECT_EQ(expired->state, BatchState::ended);
    EXPECT_EQ(expired->counts, (core::Counts{.succeeded = 1, .expired = 3}));
    EXPECT_EQ(finished({leases[1]}).recorded, std::vector{Recorded::lease_lost});
    EXPECT_EQ(found(batch.id).counts, expired->counts);
    EXPECT_EQ(batches().find_item(kAlice, batch.id.item(1))->item.state, ItemState::expired);
}

TEST_P(BatchesConformance, IllegalEventsAreConflictsAndChangeNothing) {
    const core::Batch batch = created(ABatch(1));
    EXPECT_EQ(batches().apply(batch.id, BatchEvent::drained, kNow).error().code, ErrorCode::conflict)
        << "an item is still queued";
    run_to_the_end(batch.id);
    for (const BatchEvent event :
         {BatchEvent::started, BatchEvent::drained, BatchEvent::cancel_requested, BatchEvent::expired}) {
        EXPECT_EQ(batches().apply(batch.id, event, kNow).error().code, ErrorCode::conflict);
    }
    EXPECT_EQ(found(batch.id).end_reason, EndReason::completed);
    EXPECT_EQ(batches().apply(make_batch_id(kNow), BatchEvent::expired, kNow).error().code,
              ErrorCode::not_found);
}

TEST_P(BatchesConformance, ItemsAreListedNewestBatchFirstAndLastItemFirst) {
    const core::Batch old = created(ABatch(3).created_at(kNow));
    const core::Batch task = created(ABatch(1).created_at(kNow + 1s).of_kind(core::BatchKind::task));
    const core::Batch young = created(ABatch(2).created_at(kNow + 2s));
    created(ABatch(2).in("other"));
    const std::vector<ItemId> expected{young.id.item(1), young.id.item(0), task.id.item(0),
                                       old.id.item(2),   old.id.item(1),   old.id.item(0)};
    for (std::uint32_t offset = 0; offset <= 6; ++offset) {
        for (std::uint32_t count = 0; count <= 6; ++count) {
            const auto page = batches().list_items({kAlice, "test", {}, {}, {}, {offset, count}}).value();
            EXPECT_EQ(page.total, 6U);
            std::vector<ItemId> ids;
            for (const ItemOfBatch& row : page.rows) {
                ids.push_back(row.item.id);
                EXPECT_EQ(row.batch.id, row.item.id.batch);
            }
            const auto end = std::min<std::ptrdiff_t>(6, offset + count);
            EXPECT_EQ(ids, std::vector(expected.begin() + offset, expected.begin() + end));
        }
    }
}

TEST_P(BatchesConformance, ItemListsAreFilteredByStateSubjectAndTag) {
    const core::Subject subject{"url:https://example.org/a.mp4"};
    const core::Batch about = created(ABatch(4).about(subject).tagged("t").created_at(kNow + 1s));
    const core::Batch other = created(ABatch(2).about({"url:https://example.org/b.mp4"}));
    created(ABatch(1).of(kBob).about(subject));
    const auto leases = claimed(about.id, 2);
    ASSERT_TRUE(items().finish(std::vector{result_of(leases[0], ItemState::failed)}));
    const auto total = [&](std::vector<ItemState> states, std::optional<core::Subject> of,
                           std::optional<std::string> tag) {
        const auto page =
            batches().list_items({kAlice, "test", std::move(states), std::move(of), std::move(tag), {}});
        EXPECT_EQ(page->rows.size(), page->total);
        return page->total;
    };
    EXPECT_EQ(total({}, {}, {}), 6U);
    EXPECT_EQ(total({ItemState::queued}, {}, {}), 4U);
    EXPECT_EQ(total({ItemState::running}, {}, {}), 1U);
    EXPECT_EQ(total({ItemState::failed, ItemState::running}, {}, {}), 2U);
    EXPECT_EQ(total({}, subject, {}), 4U);
    EXPECT_EQ(total({ItemState::queued}, subject, {}), 2U);
    EXPECT_EQ(total({ItemState::running}, subject, {}), 1U);
    EXPECT_EQ(total({}, core::Subject{"url:none"}, {}), 0U);
    EXPECT_EQ(total({}, {}, "t"), 4U);
    EXPECT_EQ(total({}, subject, "u"), 0U);
    const auto rows = batches().list_items({kAlice, "test", {}, subject, {}, {1, 2}})->rows;
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].item.id, about.id.item(2));
    EXPECT_EQ(rows[1].item.id, about.id.item(1));
    EXPECT_EQ(other.counts.total(), 2U);
}

TEST_P(BatchesConformance, UnfinishedItemsAboutASubjectAreCounted) {
    const core::Subject subject{"asset:0123"};
    const core::Batch batch = created(ABatch(3).about(subject));
    created(ABatch(1).of(kBob).about(subject));
    EXPECT_EQ(batches().count_unfinished(kAlice, subject).value(), 3U);
    EXPECT_EQ(batches().count_unfinished(kAlice, {"asset:4567"}).value(), 0U);
    finished(claimed(batch.id, 1));
    EXPECT_EQ(batches().count_unfinished(kAlice, subject).value(), 2U);
    claimed(batch.id, 1);
    EXPECT_EQ(batches().count_unfinished(kAlice, subject).value(), 2U) << "running is unfinished";
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
    EXPECT_EQ(batches().count_unfinished(kAlice, subject).value(), 1U);
    EXPECT_EQ(batches().count_unfinished(kBob, subject).value(), 1U);
}

}  // namespace sheaf::store
