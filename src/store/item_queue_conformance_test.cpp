#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "store/store_conformance.h"

namespace sheaf::store {

using core::BatchEvent;
using core::BatchState;
using core::EndReason;
using core::ItemState;
using namespace std::chrono_literals;

TEST_P(ItemQueueConformance, ClaimsComeInSubmissionOrderWithTheirBodies) {
    const ABatch batch(5);
    created(batch);
    const auto first = claimed(batch.id(), 2);
    const auto second = claimed(batch.id(), 10);
    ASSERT_EQ(first.size(), 2U);
    ASSERT_EQ(second.size(), 3U);
    EXPECT_EQ(first[0].item.id.ordinal, 0U);
    EXPECT_EQ(second[2].item.id.ordinal, 4U);
    for (const auto& leases : {first, second}) {
        for (const core::Lease& lease : leases) {
            EXPECT_EQ(lease.body, batch.body_of(lease.item.id.ordinal));
            EXPECT_EQ(lease.attempt, 1U);
            EXPECT_EQ(lease.expires_at, kNow + 60s);
            EXPECT_EQ(lease.item.state, ItemState::running);
            EXPECT_EQ(lease.item.custom_id, "c-" + std::to_string(lease.item.id.ordinal));
        }
    }
    EXPECT_TRUE(claimed(batch.id(), 1).empty());
    EXPECT_EQ(items().claim({.batch = make_batch_id(kNow), .now = kNow}).error().code, ErrorCode::not_found);
}

TEST_P(ItemQueueConformance, TheFirstLeaseStartsTheBatch) {
    const core::Batch batch = created(ABatch(2));
    claimed(batch.id, 1);
    EXPECT_EQ(found(batch.id).state, BatchState::running);
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.queued = 1, .running = 1}));
    EXPECT_EQ(batches().find_item(kAlice, batch.id.item(0))->item.state, ItemState::running);
    EXPECT_EQ(batches().find_item(kAlice, batch.id.item(1))->item.state, ItemState::queued);
}

TEST_P(ItemQueueConformance, AClaimStopsAtTheByteLimitButTakesOneAlways) {
    const core::Batch batch = created(ABatch(4).with_bodies_of(100));
    const auto one = items().claim({.batch = batch.id, .count_max = 4, .body_bytes_max = 50, .now = kNow});
    EXPECT_EQ(one->leases.size(), 1U);
    const auto two = items().claim({.batch = batch.id, .count_max = 4, .body_bytes_max = 200, .now = kNow});
    EXPECT_EQ(two->leases.size(), 2U);
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.queued = 1, .running = 3}));
}

TEST_P(ItemQueueConformance, AResultIsRecordedOnce) {
    const core::Batch batch = created(ABatch(3));
    const auto leases = claimed(batch.id, 2);
    EXPECT_EQ(finished({leases[0]}).recorded, std::vector{Recorded::yes});
    EXPECT_EQ(finished({leases[0], leases[1], leases[1]}).recorded,
              (std::vector{Recorded::lease_lost, Recorded::yes, Recorded::lease_lost}));
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.queued = 1, .succeeded = 2}));
    const auto item = batches().find_item(kAlice, batch.id.item(0))->item;
    EXPECT_EQ(item.state, ItemState::succeeded);
    EXPECT_EQ(item.finished_at, kNow + 1s);
}

TEST_P(ItemQueueConformance, ALeaseThatRanOutIsHandedOutFirstUnderANewEpoch) {
    const core::Batch batch = created(ABatch(3));
    const auto lost = claimed(batch.id, 1);
    EXPECT_EQ(claimed(batch.id, 1, kNow + 59s)[0].item.id.ordinal, 1U) << "the first lease still holds";
    const auto again = claimed(batch.id, 2, kNow + 60s);
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[0].item.id, lost[0].item.id);
    EXPECT_GT(again[0].epoch, lost[0].epoch);
    EXPECT_EQ(again[0].attempt, 2U);
    EXPECT_EQ(again[1].item.id.ordinal, 2U);
    EXPECT_EQ(finished({lost[0]}).recorded, std::vector{Recorded::lease_lost});
    EXPECT_FALSE(all_lines(batch.id)[0].line) << "a lost lease writes nothing";
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.running = 3}));
    EXPECT_EQ(finished({again[0]}).recorded, std::vector{Recorded::yes});
}

TEST_P(ItemQueueConformance, ALeaseIsLostWithItsBatch) {
    const core::Batch batch = created(ABatch(1));
    const auto leases = claimed(batch.id, 1);
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::expired, kNow));
    EXPECT_TRUE(items().renew(leases, kNow + 1h)->empty());
    EXPECT_TRUE(items().release(leases));
    EXPECT_TRUE(claimed(batch.id, 1, kNow + 1h).empty());
    ASSERT_TRUE(batches().remove(batch.id));
    EXPECT_EQ(finished(leases).recorded, std::vector{Recorded::lease_lost});
    EXPECT_TRUE(items().renew(leases, kNow + 1h)->empty());
    EXPECT_TRUE(items().release(leases));
    ItemResult beyond = result_of(leases[0]);
    beyond.item.ordinal = 5;
    EXPECT_EQ(items().finish(std::vector{beyond})->recorded, std::vector{Recorded::lease_lost});
}

TEST_P(ItemQueueConformance, RenewedLeasesLastLonger) {
    const core::Batch batch = created(ABatch(2));
    const auto leases = claimed(batch.id, 2);
    EXPECT_EQ(items().renew(std::vector{leases[0]}, kNow + 2h).value(), std::vector{leases[0].item.id});
    const auto again = claimed(batch.id, 2, kNow + 1h);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].item.id, leases[1].item.id);
    EXPECT_EQ(items().renew(leases, kNow + 3h).value(), std::vector{leases[0].item.id})
        << "the other was lost";
    finished({leases[0]});
    EXPECT_TRUE(items().renew(std::vector{leases[0]}, kNow + 3h)->empty()) << "finished";
}

TEST_P(ItemQueueConformance, AReleasedItemStaysRunningIsClaimedFirstAndTheAttemptIsNotCounted) {
    const core::Batch batch = created(ABatch(3));
    const auto leases = claimed(batch.id, 2);
    ASSERT_TRUE(items().release(std::vector{leases[1]}));
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.queued = 1, .running = 2}));
    EXPECT_EQ(batches().find_item(kAlice, leases[1].item.id)->item.state, ItemState::running);
    EXPECT_EQ(finished({leases[1]}).recorded, std::vector{Recorded::lease_lost}) << "it was given back";
    const auto again = claimed(batch.id, 2);
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[0].item.id, leases[1].item.id);
    EXPECT_EQ(again[0].attempt, 1U);
    EXPECT_EQ(again[1].item.id.ordinal, 2U);
    EXPECT_TRUE(items().release(std::vector{leases[1]}))
        << "releasing what is no longer held changes nothing";
    EXPECT_EQ(finished({again[0]}).recorded, std::vector{Recorded::yes});
}

TEST_P(ItemQueueConformance, OfItemsThatWereClaimedTogetherEachGoesItsOwnWay) {
    const core::Batch batch = created(ABatch(6));
    const auto leases = claimed(batch.id, 5);
    finished({leases[0]});
    ASSERT_TRUE(items().release(std::vector{leases[1]}));
    EXPECT_EQ(items().renew(std::vector{leases[2]}, kNow + 2h).value(), std::vector{leases[2].item.id});
    EXPECT_EQ(finished({leases[3], leases[0]}).recorded, (std::vector{Recorded::yes, Recorded::lease_lost}));
    const auto again = claimed(batch.id, 9, kNow + 1h);
    ASSERT_EQ(again.size(), 3U);
    EXPECT_EQ(again[0].item.id, leases[1].item.id);
    EXPECT_EQ(again[0].attempt, 1U) << "given back";
    EXPECT_EQ(again[1].item.id, leases[4].item.id);
    EXPECT_EQ(again[1].attempt, 2U) << "ran out";
    EXPECT_EQ(again[2].item.id.ordinal, 5U);
    EXPECT_EQ(finished({leases[4], leases[2], again[0], again[1]}).recorded,
              (std::vector{Recorded::lease_lost, Recorded::yes, Recorded::yes, Recorded::yes}));
    EXPECT_EQ(finished({again[2]}).ended.size(), 1U);
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.succeeded = 6}));
}

TEST_P(ItemQueueConformance, WhatIsLeftOfAClaimIsRenewedAndEndsWithItsBatch) {
    const core::Batch batch = created(ABatch(3));
    const auto leases = claimed(batch.id, 3);
    finished({leases[1]});
    EXPECT_EQ(items().renew(leases, kNow + 2h).value(), (std::vector{leases[0].item.id, leases[2].item.id}));
    EXPECT_TRUE(claimed(batch.id, 9, kNow + 1h).empty());
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::expired, kNow));
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.succeeded = 1, .expired = 2}));
    EXPECT_EQ(finished(leases).recorded,
              (std::vector{Recorded::lease_lost, Recorded::lease_lost, Recorded::lease_lost}));
}

TEST_P(ItemQueueConformance, ACancelingBatchHandsOutOnlyItemsWhoseLeaseEnded) {
    const core::Batch batch = created(ABatch(4));
    const auto leases = claimed(batch.id, 2);
    ASSERT_TRUE(items().release(std::vector{leases[0]}));
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
    const auto again = claimed(batch.id, 10);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].item.id, leases[0].item.id);
    EXPECT_EQ(claimed(batch.id, 10, kNow + 1h).size(), 2U);
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.running = 2, .canceled = 2}));
}

TEST_P(ItemQueueConformance, WhatIsLeasedOfACancelingBatchMayEndAsCanceled) {
    const core::Batch batch = created(ABatch(5));
    const auto leases = claimed(batch.id, 3);
    std::vector<ItemResult> results{result_of(leases[0]), result_of(leases[1], ItemState::canceled)};
    results[1].line.clear();
    results[1].usage = {};
    EXPECT_EQ(items().finish(std::span(results).subspan(1))->recorded, std::vector{Recorded::lease_lost})
        << "nobody has asked for it";
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
    auto report = items().finish(results);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->recorded, (std::vector{Recorded::yes, Recorded::yes}));
    EXPECT_TRUE(report->ended.empty());
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.running = 1, .succeeded = 1, .canceled = 3}));
    const auto item = batches().find_item(kAlice, leases[1].item.id)->item;
    EXPECT_EQ(item.state, ItemState::canceled);
    EXPECT_EQ(item.finished_at, kNow + 1s);
    EXPECT_FALSE(all_lines(batch.id)[1].line);
    EXPECT_EQ(items().finish(std::span(results).subspan(1))->recorded, std::vector{Recorded::lease_lost});

    results[1].item = leases[2].item.id;
    results[1].epoch = leases[2].epoch;
    report = items().finish(std::span(results).subspan(1));
    ASSERT_EQ(report->ended.size(), 1U);
    EXPECT_EQ(report->ended[0].end_reason, EndReason::canceled);
    EXPECT_EQ(report->ended[0].ended_at, kNow + 1s);
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.succeeded = 1, .canceled = 4}));
    EXPECT_EQ(all_ended(batch.id).size(), 5U);
}

TEST_P(ItemQueueConformance, TheLastResultEndsTheBatchInTheSameCall) {
    const core::Batch one = created(ABatch(2));
    const core::Batch two = created(ABatch(1));
    auto leases = claimed(one.id, 2);
    EXPECT_TRUE(finished({leases[0]}).ended.empty());
    const auto other = claimed(two.id, 1);
    const auto report =
        items().finish(std::vector{result_of(leases[1], ItemState::failed), result_of(other[0])});
    ASSERT_TRUE(report);
    ASSERT_EQ(report->ended.size(), 2U);
    for (const core::Batch& ended : report->ended) {
        EXPECT_EQ(ended.state, BatchState::ended);
        EXPECT_EQ(ended.end_reason, EndReason::completed);
        EXPECT_EQ(ended.ended_at, kNow + 1s);
        EXPECT_EQ(found(ended.id).ended_at, kNow + 1s);
    }
    EXPECT_EQ(found(one.id).counts, (core::Counts{.succeeded = 1, .failed = 1}));
    EXPECT_TRUE(batches().unfinished()->empty());
}

TEST_P(ItemQueueConformance, AnEmptyGroupIsNoError) {
    EXPECT_TRUE(items().finish({})->recorded.empty());
    EXPECT_TRUE(items().renew({}, kNow)->empty());
    EXPECT_TRUE(items().release({}));
}

TEST_P(ItemQueueConformance, ARestartEndsLeasesAndKeepsItemsRunning) {
    const core::Batch batch = created(ABatch(3));
    const auto lost = claimed(batch.id, 1);
    if (!reopen()) GTEST_SKIP() << "nothing outlives this store";
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.queued = 2, .running = 1}));
    EXPECT_EQ(finished(lost).recorded, std::vector{Recorded::lease_lost});
    const auto again = claimed(batch.id, 2);
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[0].item.id, lost[0].item.id);
    EXPECT_EQ(again[0].attempt, 2U);
    finished(again);
    run_to_the_end(batch.id);
    ASSERT_TRUE(reopen());
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.succeeded = 3}));
    const auto lines = all_lines(batch.id);
    ASSERT_EQ(lines.size(), 3U);
    for (const ItemLine& line : lines) EXPECT_EQ(line.line, line_of(line.item.id));
}

TEST_P(ItemQueueConformance, ClaimsNeverOverlapAndCountsAlwaysAddUp) {
    constexpr std::uint32_t kItems = 400;
    const core::Batch batch = created(ABatch(kItems));
    std::mutex mutex;
    std::set<ItemId> held;
    std::atomic<std::uint32_t> recorded = 0;
    std::atomic<int> ended = 0;
    std::atomic<bool> done = false;
    std::jthread watcher([&] {
        while (!done) {
            const auto now = batches().find(kAlice, batch.id);
            if (!now || now->counts.total() != kItems) ADD_FAILURE() << "the counts do not add up";
            std::this_thread::sleep_for(1ms);
        }
    });
    {
        std::vector<std::jthread> threads;
        for (int at = 0; at < 8; ++at) {
            threads.emplace_back([&, at] {
                for (std::uint32_t round = 0;; ++round) {
                    const auto leases = claimed(batch.id, 7);
                    if (leases.empty()) return;
                    {
                        const std::scoped_lock lock(mutex);
                        for (const core::Lease& lease : leases) {
                            EXPECT_TRUE(held.insert(lease.item.id).second) << "held by two";
                        }
                    }
                    if ((round + static_cast<std::uint32_t>(at)) % 5 == 0) {
                        {
                            const std::scoped_lock lock(mutex);
                            for (const core::Lease& lease : leases) held.erase(lease.item.id);
                        }
                        EXPECT_TRUE(items().release(leases));
                        continue;
                    }
                    const FinishReport report = finished(leases);
                    for (const Recorded each : report.recorded) recorded += each == Recorded::yes ? 1 : 0;
                    ended += static_cast<int>(report.ended.size());
                }
            });
        }
    }
    // A thread may have left while another held what it then released.
    run_to_the_end(batch.id);
    done = true;
    watcher.join();
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.succeeded = kItems}));
    EXPECT_LE(recorded, kItems);
    EXPECT_LE(ended, 1);
    EXPECT_EQ(all_lines(batch.id).size(), kItems);
}

}  // namespace sheaf::store
