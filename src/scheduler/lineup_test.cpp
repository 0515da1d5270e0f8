#include "scheduler/lineup.h"

#include <set>

#include <gtest/gtest.h>

#include "scheduler/pace.h"

namespace sheaf::scheduler {
namespace {

using namespace std::chrono_literals;
using Gate = PrefixRuns::Gate;

bool always() {
    return true;
}
bool never() {
    return false;
}

const PrefixRuns::Time kStart = PrefixRuns::Time{} + 1h;

Waiting item(std::uint32_t ordinal, std::uint64_t prefix, std::size_t bytes = 4000) {
    Waiting waiting;
    waiting.lease.item.id.ordinal = ordinal;
    waiting.lease.prefix = prefix;
    waiting.lease.body.assign(bytes, 'x');
    return waiting;
}

class LineupTest : public testing::Test {
protected:
    // Starts what may start, and tells which it was; -1 for none.
    int start(PrefixRuns::Time now = kStart) {
        auto taken = lineup.take(runs, now, has_room, always);
        if (!taken) return -1;
        runs.started(taken->lease.prefix, taken->lease.body.size(), now);
        return static_cast<int>(taken->lease.item.id.ordinal);
    }

    PrefixRuns runs;
    Lineup lineup;
    std::set<std::uint64_t> full;
    const Lineup::HasRoom has_room = [this](std::uint64_t prefix) { return !full.contains(prefix); };
};

TEST_F(LineupTest, ItemsThatShareNothingStartInOrder) {
    for (std::uint32_t n = 0; n < 3; ++n) lineup.add(item(n, 0));
    EXPECT_EQ(lineup.count_startable(runs, kStart, 9, has_room), 3U);
    for (int n = 0; n < 3; ++n) EXPECT_EQ(start(), n);
    EXPECT_EQ(start(), -1);
    EXPECT_EQ(lineup.size(), 0U);
    EXPECT_EQ(lineup.body_bytes(), 0U);
}

TEST_F(LineupTest, TheFirstOfARunGoesAloneAndOthersPassItsNeighbours) {
    for (std::uint32_t n = 0; n < 3; ++n) lineup.add(item(n, 7));
    for (std::uint32_t n = 3; n < 5; ++n) lineup.add(item(n, 8));
    lineup.add(item(5, 0));
    EXPECT_EQ(lineup.count_startable(runs, kStart, 9, has_room), 3U);
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(start(), 3);
    EXPECT_EQ(start(), 5);
    EXPECT_EQ(start(), -1);
    EXPECT_EQ(lineup.count_startable(runs, kStart, 9, has_room), 0U);
    EXPECT_EQ(lineup.opens_at(runs, kStart), kStart + 100ms);
    runs.ended(8);
    EXPECT_EQ(start(), 4);
    EXPECT_EQ(start(), -1);
    runs.ended(7);
    EXPECT_EQ(lineup.count_startable(runs, kStart, 9, has_room), 2U);
    EXPECT_EQ(start(), 1);
    EXPECT_EQ(start(), 2);
    EXPECT_EQ(lineup.opens_at(runs, kStart), PrefixRuns::Time::max());
}

TEST_F(LineupTest, WhereTheFirstWasGivenUpTheNextGoesAlone) {
    for (std::uint32_t n = 0; n < 3; ++n) lineup.add(item(n, 7));
    EXPECT_EQ(start(), 0);
    runs.given_up(7);
    EXPECT_EQ(start(), 1);
    EXPECT_EQ(start(), -1);
    runs.ended(7);
    runs.given_up(7);
    EXPECT_EQ(start(), 2) << "one has ended: it was read";
}

TEST_F(LineupTest, ASlowFirstDoesNotKeepItsRun) {
    lineup.add(item(0, 7));
    lineup.add(item(1, 7));
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(start(kStart + 99ms), -1);
    EXPECT_EQ(start(kStart + 100ms), 1) << "its 4,000 bytes must have been read";
}

TEST_F(LineupTest, ARunWithoutRoomWaitsAndOthersPassIt) {
    for (std::uint32_t n = 0; n < 2; ++n) lineup.add(item(n, 7));
    for (std::uint32_t n = 2; n < 4; ++n) lineup.add(item(n, 8));
    for (const std::uint64_t prefix : {7U, 8U}) {
        runs.started(prefix, 10, kStart);
        runs.ended(prefix);
    }
    full = {7};
    EXPECT_EQ(lineup.count_startable(runs, kStart, 9, has_room), 2U);
    EXPECT_EQ(start(), 2);
    EXPECT_EQ(start(), 3);
    EXPECT_EQ(start(), -1);
    full = {};
    EXPECT_EQ(start(), 0);
}

TEST_F(LineupTest, NoRunIsBegunWhereNoneIsNeeded) {
    for (std::uint32_t n = 0; n < 2; ++n) lineup.add(item(n, 7));
    for (std::uint32_t n = 2; n < 5; ++n) lineup.add(item(n, 8));
    EXPECT_EQ(start(), 0);
    EXPECT_FALSE(lineup.take(runs, kStart, has_room, never));
    std::vector<std::pair<std::uint64_t, std::size_t>> led;
    const auto note = [&](std::uint64_t prefix, std::size_t count) { led.emplace_back(prefix, count); };
    lineup.for_each_led(runs, kStart, note);
    EXPECT_EQ(led, (std::vector<std::pair<std::uint64_t, std::size_t>>{{7, 1}}));
    runs.ended(7);
    const auto next = lineup.take(runs, kStart, has_room, never);
    ASSERT_TRUE(next);
    EXPECT_EQ(next->lease.item.id.ordinal, 1U);
}

TEST(PrefixRuns, ForgetsTheOldest) {
    PrefixRuns runs;
    for (std::uint64_t prefix = 1; prefix <= 5000; ++prefix) {
        runs.started(prefix, 10, kStart);
        runs.ended(prefix);
    }
    EXPECT_EQ(runs.gate(1, kStart), Gate::leader);
    EXPECT_EQ(runs.gate(5000, kStart), Gate::open);
    EXPECT_EQ(runs.gate(0, kStart), Gate::open);
}

TEST(Pace, FollowsWhatEnds) {
    Pace pace;
    EXPECT_EQ(pace.within(50ms), 0U);
    auto now = kStart;
    for (int n = 0; n < 1000; ++n) pace.count(now += 1ms);
    EXPECT_NEAR(pace.within(50ms), 50, 1);
    pace.count(now += 10s);
    EXPECT_EQ(pace.within(50ms), 0U);
}

}  // namespace
}  // namespace sheaf::scheduler
