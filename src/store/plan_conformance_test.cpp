#include <numeric>

#include "store/store_conformance.h"

namespace sheaf::store {

using core::BatchEvent;
using core::BatchState;
using core::ItemState;
using core::Planned;
using namespace std::chrono_literals;

namespace {

// Backwards; neighbours share a prefix.
std::vector<Planned> backwards(std::uint32_t count) {
    std::vector<Planned> plan;
    for (std::uint32_t at = 0; at < count; ++at) plan.push_back({count - 1 - at, 1000 + at / 2});
    return plan;
}

std::vector<std::uint32_t> ordinals(const std::vector<core::Lease>& leases) {
    std::vector<std::uint32_t> ordinals;
    for (const core::Lease& lease : leases) ordinals.push_back(lease.item.id.ordinal);
    return ordinals;
}

}  // namespace

TEST_P(ItemQueueConformance, ClaimsFollowThePlan) {
    const core::Batch batch = created(ABatch(5).planned(backwards(5)));
    const auto first = claimed(batch.id, 2);
    EXPECT_EQ(ordinals(first), (std::vector<std::uint32_t>{4, 3}));
    EXPECT_EQ(first[0].prefix, 1000U);
    EXPECT_EQ(first[1].prefix, 1000U);
    EXPECT_EQ(first[0].item.state, ItemState::running);
    const auto rest = claimed(batch.id, 9);
    EXPECT_EQ(ordinals(rest), (std::vector<std::uint32_t>{2, 1, 0}));
    EXPECT_EQ(rest[2].prefix, 1002U);
    EXPECT_TRUE(claimed(batch.id, 9).empty());
}

TEST_P(ItemQueueConformance, OfAPlannedBatchThoseAreRunningThatWereClaimed) {
    const core::Batch batch = created(ABatch(5).planned(backwards(5)));
    const auto leases = claimed(batch.id, 2);
    finished({leases[0]});
    const std::vector<ItemState> expected{ItemState::queued, ItemState::queued, ItemState::queued,
                                          ItemState::running, ItemState::succeeded};
    const auto heads = batches().read_heads(batch.id, 0, 10);
    ASSERT_EQ(heads->size(), 5U);
    for (std::uint32_t at = 0; at < 5; ++at) EXPECT_EQ((*heads)[at].state, expected[at]) << at;
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.queued = 3, .running = 1, .succeeded = 1}));
    const auto running = batches().list_items(
        {.account = kAlice, .dialect = "test", .states = {ItemState::running}, .subject = {}, .tag = {}});
    ASSERT_EQ(running->rows.size(), 1U);
    EXPECT_EQ(running->rows[0].item.id.ordinal, 3U);
}

TEST_P(ItemQueueConformance, CancelingAPlannedBatchLeavesWhatRuns) {
    const core::Batch batch = created(ABatch(5).planned(backwards(5)));
    const auto leases = claimed(batch.id, 2);
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::cancel_requested, kNow));
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.running = 2, .canceled = 3}));
    EXPECT_TRUE(claimed(batch.id, 5).empty());
    EXPECT_EQ(batches().find_item(kAlice, batch.id.item(0))->item.state, ItemState::canceled);
    EXPECT_EQ(batches().find_item(kAlice, batch.id.item(4))->item.state, ItemState::running);
    EXPECT_EQ(finished(leases).ended.size(), 1U);
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.succeeded = 2, .canceled = 3}));
}

TEST_P(ItemQueueConformance, ExpiryEndsAllOfAPlannedBatch) {
    const core::Batch batch = created(ABatch(5).planned(backwards(5)));
    const auto leases = claimed(batch.id, 3);
    finished({leases[1]});
    ASSERT_TRUE(batches().apply(batch.id, BatchEvent::expired, kNow));
    EXPECT_EQ(found(batch.id).state, BatchState::ended);
    EXPECT_EQ(found(batch.id).counts, (core::Counts{.succeeded = 1, .expired = 4}));
    const auto heads = batches().read_heads(batch.id, 0, 10);
    for (const core::ItemHead& head : *heads)
        EXPECT_EQ(head.state, head.id.ordinal == 3 ? ItemState::succeeded : ItemState::expired);
}

TEST_P(ItemQueueConformance, ALostLeaseOfAPlannedBatchComesFirst) {
    const core::Batch batch = created(ABatch(4).planned(backwards(4)));
    claimed(batch.id, 1);
    const auto again = claimed(batch.id, 2, kNow + 60s);
    EXPECT_EQ(ordinals(again), (std::vector<std::uint32_t>{3, 2}));
    EXPECT_EQ(again[0].attempt, 2U);
}

TEST_P(ItemQueueConformance, ALongPlanIsFollowedToItsEndOverARestart) {
    constexpr std::uint32_t kCount = 1300;
    const core::Batch batch = created(ABatch(kCount).planned(backwards(kCount)));
    std::vector<std::uint32_t> seen;
    for (std::uint32_t step = 0; seen.size() < kCount; ++step) {
        const auto leases = claimed(batch.id, 170);
        ASSERT_FALSE(leases.empty());
        for (const std::uint32_t ordinal : ordinals(leases)) seen.push_back(ordinal);
        finished(leases);
        if (step == 3) reopen();
    }
    std::vector<std::uint32_t> expected(kCount);
    std::iota(expected.rbegin(), expected.rend(), 0U);
    EXPECT_EQ(seen, expected);
    EXPECT_EQ(found(batch.id).state, BatchState::ended);
    ASSERT_TRUE(batches().remove(batch.id));
}

TEST_P(ItemQueueConformance, APlanHasOneEntryAnItem) {
    const auto refused = ABatch(3).planned(backwards(2)).create(store());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid);
}

}  // namespace sheaf::store
