#include "backend/admission.h"

#include <gtest/gtest.h>

#include "backend/simulated_server_test.h"

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;
using End = AdmissionWindow::End;
using ServerSetup = SimulatedServer::Setup;

constexpr SteadyTime kNow{1'000h};
constexpr double kSlots = 256;

// The ways in which a server shows that it has enough.
struct Kind {
    const char* name;
    ServerSetup setup;
    double ServerSetup::* size;  // what says how much it can do
};
const Kind kKinds[] = {
    {"falls off beyond its knee, and never refuses", {}, &ServerSetup::knee},
    {"lets calls wait", {}, &ServerSetup::slots},
    {"refuses", {.refuses = true}, &ServerSetup::slots},
    {"lets calls wait, and shows it", {.shows_gauges = true}, &ServerSetup::slots},
};

class Admission : public testing::TestWithParam<std::tuple<Kind, double>> {
protected:
    Admission() {
        setup_.spread = std::get<1>(GetParam());
        resize(setup_, kSlots);
    }
    void resize(ServerSetup& setup, double size) const { setup.*std::get<0>(GetParam()).size = size; }
    // What the best fixed limit would bring: just as many calls as run at full speed.
    double best(double size) const { return size / setup_.latency_s; }

    ServerSetup setup_ = std::get<0>(GetParam()).setup;
};

TEST_P(Admission, ComesToTheBestFixedLimit) {
    SimulatedServer server(setup_, {});
    server.run_for(30);
    const auto sums = server.run_for(30);
    EXPECT_GE(sums.answers_per_s, 0.95 * best(kSlots)) << "window " << sums.window;
    EXPECT_LE(sums.refused_share, 0.02);
}

TEST_P(Admission, FollowsAServerThatChanges) {
    SimulatedServer server(setup_, {});
    server.run_for(20);
    resize(server.setup(), kSlots / 4);
    server.run_for(30);
    const auto less = server.run_for(15);
    EXPECT_GE(less.answers_per_s, 0.9 * best(kSlots / 4)) << "window " << less.window;
    EXPECT_LE(less.refused_share, 0.02);
    resize(server.setup(), kSlots);
    server.run_for(30);
    const auto more = server.run_for(15);
    EXPECT_GE(more.answers_per_s, 0.9 * best(kSlots)) << "window " << more.window;
    EXPECT_LE(more.refused_share, 0.02);
}

INSTANTIATE_TEST_SUITE_P(Servers, Admission,
                         testing::Combine(testing::ValuesIn(kKinds), testing::Values(0.0, 0.3, 0.8)));

TEST(AdmissionWindow, RefusalsThatLoadIsNotTheCauseOfDoNotShrinkItForLong) {
    SimulatedServer server({.slots = kSlots, .refused_share = 0.05, .seed = 2}, {});
    server.run_for(30);
    EXPECT_GE(server.run_for(60).answers_per_s, 0.85 * kSlots / 0.2);
}

TEST(AdmissionWindow, GrowsOnlyWhileItIsInUse) {
    SimulatedServer server({.slots = 1'000}, {.first = 16});
    server.demand = 5;
    EXPECT_LE(server.run_for(60).window, 16);
    server.demand = 1'000;
    EXPECT_GE(server.run_for(20).window, 500);
}

TEST(AdmissionWindow, StaysAsItIsOverATimeWithoutWork) {
    SimulatedServer server({.knee = 64}, {});
    const auto before = server.run_for(30);
    server.demand = 0;
    server.run_for(600);
    server.demand = 1'000;
    const auto after = server.run_for(10);
    EXPECT_NEAR(after.window, before.window, 0.5 * before.window);
    EXPECT_GE(after.answers_per_s, 0.85 * 64 / 0.2);
}

TEST(AdmissionWindow, StaysBetweenOneAndItsMost) {
    SimulatedServer small({.slots = 1, .refuses = true}, {});
    EXPECT_EQ(small.run_for(60).window, 1);
    SimulatedServer large({.slots = 10'000}, {.most = 100});
    EXPECT_EQ(large.window().size(), 16U);
    EXPECT_LE(large.run_for(60).window, 100);
    EXPECT_GE(large.run_for(30).answers_per_s, 0.95 * 100 / 0.2);
}

// A window with `count` calls under way since kNow.
AdmissionWindow in_use(std::uint32_t count) {
    AdmissionWindow window({.first = count});
    for (std::uint32_t n = 0; n < count; ++n) window.began(kNow);
    return window;
}

TEST(AdmissionWindow, ARefusalTellsWhatTheServerHadTakenOn) {
    auto window = in_use(10);
    window.ended(End::refused, kNow, kNow + 1ms);
    EXPECT_EQ(window.size(), 9U);
}

TEST(AdmissionWindow, TroubleCountsOnceInARoundTrip) {
    auto window = in_use(20);
    window.ended(End::timed_out, kNow, kNow + 60s);
    EXPECT_EQ(window.size(), 14U);
    for (int n = 0; n < 10; ++n) window.ended(End::timed_out, kNow, kNow + 60s);
    EXPECT_EQ(window.size(), 14U) << "those had begun before it shrank";
}

TEST(AdmissionWindow, WhatSaysNothingAboutLoadChangesNothing) {
    auto window = in_use(10);
    for (int n = 0; n < 10; ++n) window.ended(End::other, kNow, kNow + 1ms);
    EXPECT_EQ(window.size(), 10U);
    EXPECT_EQ(window.under_way(), 0U);
}

TEST(AdmissionWindow, AFullCacheShrinksIt) {
    auto window = in_use(100);
    window.saw({.running = 100, .waiting = 0, .cache_use = 0.97}, kNow);
    EXPECT_EQ(window.size(), 95U);
    window.saw({.running = 100, .waiting = 0, .cache_use = 0.9}, kNow + 1s);
    EXPECT_GE(window.size(), 95U);
}

TEST(AdmissionWindow, ALongQueueInTheServerShrinksItToTheMark) {
    auto window = in_use(400);
    window.saw({.running = 256, .waiting = 144, .cache_use = {}}, kNow);
    EXPECT_EQ(window.size(), 256U + 40U) << "half way between 16 and 64 wait";
}

TEST(AdmissionWindow, AnEmptyQueueLetsItGrowBeforeAnyAnswerCame) {
    auto window = in_use(16);
    window.saw({.running = 16, .waiting = 0, .cache_use = {}}, kNow);
    EXPECT_EQ(window.size(), 20U);
    for (int n = 0; n < 100; ++n) {
        while (window.under_way() < window.size()) window.began(kNow);
        window.saw({.running = static_cast<double>(window.under_way()), .cache_use = {}}, kNow);
    }
    EXPECT_EQ(window.size(), 64U) << "four times as many as it was seen to answer";
}

}  // namespace
}  // namespace sheaf::backend
