#include "scheduler/choice.h"

#include <map>

#include <gtest/gtest.h>

namespace sheaf::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr BatchId kOld{100, 1};
constexpr BatchId kNew{200, 2};
constexpr BatchId kOther{300, 3};
constexpr BatchId kFourth{400, 4};

const AccountId kAnna{"anna"};
const AccountId kBert{"bert"};

TEST(ShareSlots, OneBatchTakesAllItCanUse) {
    const std::vector<Candidate> candidates{{kOld, kAnna, 5, 0}};
    EXPECT_EQ(share_slots(candidates, 3), (std::vector<Share>{{kOld, 3}}));
    EXPECT_EQ(share_slots(candidates, 9), (std::vector<Share>{{kOld, 5}}));
    EXPECT_TRUE(share_slots(candidates, 0).empty());
}

TEST(ShareSlots, ASmallBatchIsNotStarvedByALargeOne) {
    const std::vector<Candidate> candidates{{kOld, kAnna, 1000, 8}, {kNew, kAnna, 1, 0}};
    EXPECT_EQ(share_slots(candidates, 1), (std::vector<Share>{{kNew, 1}}));
}

TEST(ShareSlots, BatchesOfOneAccountShareEvenlyOlderFirst) {
    const std::vector<Candidate> candidates{{kNew, kAnna, 100, 0}, {kOld, kAnna, 100, 0}};
    EXPECT_EQ(share_slots(candidates, 3), (std::vector<Share>{{kNew, 1}, {kOld, 2}}));
}

TEST(ShareSlots, AccountsShareEvenlyHoweverManyBatchesTheyHave) {
    const std::vector<Candidate> candidates{
        {kOld, kAnna, 100, 0}, {kNew, kAnna, 100, 0}, {kOther, kBert, 100, 0}};
    const auto shares = share_slots(candidates, 8);
    EXPECT_EQ(shares, (std::vector<Share>{{kOld, 2}, {kNew, 2}, {kOther, 4}}));
}

TEST(ShareSlots, WhatRunsAlreadyCounts) {
    const std::vector<Candidate> candidates{{kOld, kAnna, 100, 4}, {kOther, kBert, 100, 0}};
    EXPECT_EQ(share_slots(candidates, 4), (std::vector<Share>{{kOther, 4}}));
}

TEST(ShareSlots, ABatchWithNothingWaitingGetsNothingButItsAccountPaysForWhatRuns) {
    const std::vector<Candidate> candidates{{kOld, kAnna, 0, 2}, {kNew, kAnna, 5, 0}, {kOther, kBert, 5, 0}};
    EXPECT_EQ(share_slots(candidates, 2), (std::vector<Share>{{kOther, 2}}));
}

TEST(ShareSlots, AccountsGetEqualTimeHoweverLongTheirItemsTake) {
    constexpr std::uint32_t kSlots = 8;
    const std::map<BatchId, std::uint32_t> ticks_of_item{{kOld, 10}, {kOther, 1}};
    std::map<BatchId, std::vector<std::uint32_t>> ends;  // of the items that run
    std::map<BatchId, std::size_t> used;
    for (std::uint32_t tick = 0; tick < 1000; ++tick) {
        for (auto& [batch, running] : ends) std::erase(running, tick);
        const auto running = [&](const BatchId& batch) {
            return static_cast<std::uint32_t>(ends[batch].size());
        };
        const std::vector<Candidate> candidates{{kOld, kAnna, 100, running(kOld)},
                                                {kOther, kBert, 100, running(kOther)}};
        for (const Share& share : share_slots(candidates, kSlots - running(kOld) - running(kOther)))
            ends[share.batch].insert(ends[share.batch].end(), share.count,
                                     tick + ticks_of_item.at(share.batch));
        for (const auto& [batch, items] : ends) used[batch] += items.size();
    }
    EXPECT_EQ(used[kOld], used[kOther]);
}

TEST(ShareSlots, OfAnAccountTheBatchThatIsShortestOfTimeGoesFirst) {
    const std::vector<Candidate> candidates{{kOld, kAnna, 100, 0},
                                            {kNew, kAnna, 2, 50, 90min},
                                            {kOther, kAnna, 3, 50, 5min},
                                            {kFourth, kBert, 100, 51}};
    EXPECT_EQ(share_slots(candidates, 4), (std::vector<Share>{{kFourth, 4}})) << "whose account holds least";
    const auto ours = std::span(candidates).first(3);
    EXPECT_EQ(share_slots(ours, 4), (std::vector<Share>{{kNew, 1}, {kOther, 3}}));
    EXPECT_EQ(share_slots(ours, 6), (std::vector<Share>{{kOld, 1}, {kNew, 2}, {kOther, 3}}));
}

TEST(Slack, IsToldOfABatchThatMayNotEndInTime) {
    const Timestamp created{1000h};
    const core::Batch batch{.created_at = created, .expires_at = created + 24h};
    EXPECT_EQ(slack_when_short(batch, 3600, 1, created), std::nullopt) << "an hour's work in a day";
    EXPECT_EQ(slack_when_short(batch, 3600, 1, created + 16h), std::nullopt);
    EXPECT_EQ(slack_when_short(batch, 3600, 1, created + 17h), 6h);
    EXPECT_EQ(slack_when_short(batch, 3600, 1, created + 23h + 30min), -30min);
    EXPECT_EQ(slack_when_short(batch, 3600, 0.05, created), 4h) << "twenty hours' work in a day";
    EXPECT_EQ(slack_when_short(batch, 3600, 0, created + 18h), 6h) << "nothing is known of its work";
    const core::Batch endless{.created_at = created, .expires_at = core::kNever};
    EXPECT_EQ(slack_when_short(endless, 3600, 0.001, created + 100h), std::nullopt);
}

}  // namespace
}  // namespace sheaf::scheduler
