#include "backend/server_roster.h"

#include <gtest/gtest.h>

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;
using Change = ServerRoster::Change;

constexpr SteadyTime kNow{1'000h};
constexpr EjectionRules kRules{.broken_max = 3, .first_time = 10s, .time_max = 30s, .probe_every = 60s};

void eject(ServerRoster& roster, std::size_t server, SteadyTime now) {
    while (!roster.is_ejected(server)) roster.broke(server, now);
}

TEST(ServerRoster, EqualServersTakeTurns) {
    ServerRoster roster(3, kRules);
    for (const std::size_t expected : {0U, 1U, 2U, 0U, 1U, 2U}) {
        const auto server = roster.choose(kNow);
        EXPECT_EQ(server, expected);
        roster.leave(server);
    }
}

TEST(ServerRoster, TheOneWithTheFewestCallsIsAsked) {
    ServerRoster roster(2, kRules);
    EXPECT_EQ(roster.choose(kNow), 0U);
    EXPECT_EQ(roster.choose(kNow), 1U);
    EXPECT_EQ(roster.choose(kNow), 0U);
    roster.leave(1);
    EXPECT_EQ(roster.choose(kNow), 1U);
    EXPECT_EQ(roster.choose(kNow), 1U) << "it had one call, the other two";
}

TEST(ServerRoster, ALargerServerGetsMore) {
    ServerRoster roster(2, kRules);
    roster.set_size(0, 100);
    roster.set_size(1, 300);
    for (int n = 0; n < 40; ++n) roster.choose(kNow);
    int first = 0;
    for (int n = 0; n < 400; ++n) first += roster.choose(kNow) == 0 ? 1 : 0;
    EXPECT_EQ(first, 100);
}

TEST(ServerRoster, APrefixStaysWhereItBegan) {
    ServerRoster roster(3, kRules);
    EXPECT_EQ(roster.choose(kNow, 7), 0U);
    EXPECT_EQ(roster.choose(kNow, 8), 1U);
    EXPECT_EQ(roster.choose(kNow), 2U);
    for (int n = 0; n < 5; ++n) EXPECT_EQ(roster.choose(kNow, 7), 0U);
    EXPECT_EQ(roster.home_of(8, kNow), 1U);
    EXPECT_FALSE(roster.home_of(9, kNow));
    roster.rest(0, kNow + 1s);
    EXPECT_FALSE(roster.home_of(7, kNow));
    EXPECT_EQ(roster.choose(kNow, 7), 1U) << "it finds another home";
    EXPECT_EQ(roster.choose(kNow + 2s, 7), 1U);
    eject(roster, 1, kNow + 3s);
    EXPECT_NE(roster.choose(kNow + 3s, 7), 1U);
}

TEST(ServerRoster, OnlyBreaksInARowEject) {
    ServerRoster roster(1, kRules);
    EXPECT_EQ(roster.broke(0, kNow), Change::none);
    EXPECT_EQ(roster.broke(0, kNow), Change::none);
    EXPECT_EQ(roster.answered(0, kNow), Change::none);
    EXPECT_EQ(roster.broke(0, kNow), Change::none);
    EXPECT_EQ(roster.broke(0, kNow), Change::none);
    EXPECT_EQ(roster.broke(0, kNow), Change::ejected);
    EXPECT_EQ(roster.broke(0, kNow), Change::none) << "it is out already";
    EXPECT_EQ(roster.answered(0, kNow), Change::returned);
}

TEST(ServerRoster, AnEjectedServerGetsNoWorkUntilItHasAnswered) {
    ServerRoster roster(2, kRules);
    eject(roster, 0, kNow);
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(roster.choose(kNow + 1h), 1U) << "its time is over, but it was not asked";
    roster.answered(0, kNow + 1h);
    EXPECT_EQ(roster.choose(kNow + 1h), 0U);
}

TEST(ServerRoster, WhenAllAreEjectedTheOneThatBrokeLongestAgoIsAsked) {
    ServerRoster roster(3, kRules);
    eject(roster, 1, kNow);
    eject(roster, 2, kNow + 1s);
    EXPECT_FALSE(roster.are_all_ejected());
    eject(roster, 0, kNow + 2s);
    EXPECT_TRUE(roster.are_all_ejected());
    EXPECT_EQ(roster.choose(kNow + 3s), 1U);
    roster.broke(1, kNow + 3s);
    EXPECT_EQ(roster.choose(kNow + 4s), 2U);
}

TEST(ServerRoster, AServerThatRestsIsAskedAfterTheOthersAndBeforeTheEjected) {
    ServerRoster roster(3, kRules);
    eject(roster, 0, kNow);
    roster.rest(1, kNow + 5s);
    EXPECT_EQ(roster.choose(kNow), 2U);
    EXPECT_EQ(roster.choose(kNow), 2U);
    eject(roster, 2, kNow);
    EXPECT_EQ(roster.choose(kNow), 1U);
    roster.answered(2, kNow);
    EXPECT_EQ(roster.choose(kNow + 5s), 1U) << "its rest is over, and it has fewer calls";
}

TEST(ServerRoster, TellsWhenOneOfThemTakesWork) {
    ServerRoster roster(2, kRules);
    roster.rest(0, kNow + 5s);
    EXPECT_EQ(roster.free_at(kNow), kNow);
    roster.rest(1, kNow + 9s);
    EXPECT_EQ(roster.free_at(kNow), kNow + 5s);
    EXPECT_EQ(roster.free_at(kNow + 6s), kNow + 6s);
    eject(roster, 0, kNow);
    EXPECT_EQ(roster.free_at(kNow), kNow + 9s);
    eject(roster, 1, kNow);
    EXPECT_EQ(roster.free_at(kNow), kNow);
}

TEST(ServerRoster, EveryFurtherEjectionIsLongerUpToALimit) {
    ServerRoster roster(1, kRules);
    auto now = kNow;
    for (const auto out_for : {10s, 20s, 30s, 30s}) {
        eject(roster, 0, now);
        EXPECT_EQ(roster.probe_due(0), now + out_for);
        roster.broke(0, now + out_for - 1s);
        EXPECT_EQ(roster.probe_due(0), now + out_for) << "breaking while it is out makes it no longer";
        now += out_for;
        roster.answered(0, now);
    }
    now += 31s;
    eject(roster, 0, now);
    EXPECT_EQ(roster.probe_due(0), now + 10s) << "it was back for longer than it had been out";
}

TEST(ServerRoster, AProbeThatFailsEjectsForLonger) {
    ServerRoster roster(1, kRules);
    eject(roster, 0, kNow);
    EXPECT_EQ(roster.broke(0, kNow + 10s), Change::none);
    EXPECT_EQ(roster.probe_due(0), kNow + 30s);
}

TEST(ServerRoster, AServerThatNothingWasHeardOfIsDueForAProbe) {
    ServerRoster roster(1, kRules);
    roster.answered(0, kNow);
    EXPECT_EQ(roster.probe_due(0), kNow + 60s);
    roster.broke(0, kNow + 10s);
    EXPECT_EQ(roster.probe_due(0), kNow + 70s);
}

}  // namespace
}  // namespace sheaf::backend
