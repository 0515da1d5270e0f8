#include "scheduler/choice.h"

#include <gtest/gtest.h>

namespace sheaf::scheduler {
namespace {

constexpr BatchId kOld{100, 1};
constexpr BatchId kNew{200, 2};
constexpr BatchId kOther{300, 3};

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

}  // namespace
}  // namespace sheaf::scheduler
