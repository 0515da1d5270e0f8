#include <gtest/gtest.h>

#include "core/batch.h"
#include "core/retry.h"

namespace sheaf::core {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp kNow{std::chrono::milliseconds{1'000'000}};

Batch a_batch(Counts counts, BatchState state = BatchState::running) {
    Batch batch;
    batch.state = state;
    batch.counts = counts;
    return batch;
}

TEST(BatchLife, ACancelTakesTheQueuedAndWaitsForTheRunning) {
    const auto after =
        after_event(a_batch({.queued = 3, .running = 2, .succeeded = 1}), BatchEvent::cancel_requested, kNow);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->state, BatchState::canceling);
    EXPECT_EQ(after->counts, (Counts{.running = 2, .succeeded = 1, .canceled = 3}));
    EXPECT_FALSE(after->ended_at);
}

TEST(BatchLife, ACancelWithNothingRunningEndsAtOnce) {
    const auto after =
        after_event(a_batch({.queued = 3}, BatchState::accepted), BatchEvent::cancel_requested, kNow);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->state, BatchState::ended);
    EXPECT_EQ(after->end_reason, EndReason::canceled);
    EXPECT_EQ(after->ended_at, kNow);
}

TEST(BatchLife, ExpiryTakesTheRunningToo) {
    for (const BatchState state : {BatchState::accepted, BatchState::running, BatchState::canceling}) {
        const auto after =
            after_event(a_batch({.queued = 1, .running = 2, .failed = 3}, state), BatchEvent::expired, kNow);
        ASSERT_TRUE(after);
        EXPECT_EQ(after->end_reason, EndReason::expired);
        EXPECT_EQ(after->counts, (Counts{.failed = 3, .expired = 3}));
    }
}

TEST(BatchLife, NothingHappensToAnEndedBatch) {
    for (const BatchEvent event :
         {BatchEvent::started, BatchEvent::drained, BatchEvent::cancel_requested, BatchEvent::expired}) {
        EXPECT_FALSE(after_event(a_batch({.succeeded = 1}, BatchState::ended), event, kNow));
    }
}

TEST(BatchLife, ASecondCancelIsNoTransition) {
    EXPECT_FALSE(
        after_event(a_batch({.running = 1}, BatchState::canceling), BatchEvent::cancel_requested, kNow));
}

TEST(BatchLife, EveryTransitionKeepsTheNumberOfItems) {
    for (const Transition& row : kTransitions) {
        Counts counts{.queued = 2, .running = 3, .succeeded = 4, .failed = 5};
        if (row.event == BatchEvent::drained) counts.queued = counts.running = 0;
        const auto after = after_event(a_batch(counts, row.from), row.event, kNow);
        ASSERT_TRUE(after);
        EXPECT_EQ(after->counts.total(), counts.total());
    }
}

TEST(ItemLife, TerminalStatesNeverChange) {
    constexpr std::array states{ItemState::queued, ItemState::running,  ItemState::succeeded,
                                ItemState::failed, ItemState::canceled, ItemState::expired};
    for (const ItemState from : states) {
        for (const ItemState to : states) {
            if (is_terminal(from)) EXPECT_FALSE(may_become(from, to));
            if (to == ItemState::queued) EXPECT_FALSE(may_become(from, to)) << "states never move backwards";
        }
    }
    EXPECT_TRUE(may_become(ItemState::running, ItemState::running)) << "after a crash it is leased again";
}

TEST(Retry, AnAnswerIsDoneAndARefusalFinal) {
    EXPECT_TRUE(std::holds_alternative<Done>(decide({}, Answer{.text = "x"}, 1, 0, 0.5)));
    const Decision refused = decide({}, Refused{{"output_invalid", "no"}}, 1, 0, 0.5);
    ASSERT_TRUE(std::holds_alternative<GiveUp>(refused));
    EXPECT_EQ(std::get<GiveUp>(refused).failure.code, "output_invalid");
}

TEST(Retry, BrokenAttemptsAreRepeatedWithinBounds) {
    const RetryPolicy policy{.attempts_max = 3, .first_wait = 100ms, .wait_max = 150ms};
    const Outcome broken = Broken{{"analysis_failed", "500"}};
    EXPECT_EQ(std::get<Again>(decide(policy, broken, 1, 0, 0.5)).after, 50ms);
    EXPECT_EQ(std::get<Again>(decide(policy, broken, 2, 0, 0.99)).after, 148ms) << "bounded by wait_max";
    EXPECT_TRUE(std::holds_alternative<GiveUp>(decide(policy, broken, 3, 0, 0.5)));
}

TEST(Retry, WhatTheServerAskedForIsTheLeastWeWait) {
    const Outcome overloaded = Overloaded{"429", 2s};
    EXPECT_EQ(std::get<Again>(decide({}, overloaded, 1, 1, 0.0)).after, 2s);
    EXPECT_TRUE(std::holds_alternative<Again>(decide({.attempts_max = 1}, overloaded, 1, 5, 0.0)))
        << "slowing down does not use up attempts";
    EXPECT_TRUE(std::holds_alternative<GiveUp>(decide({.overloads_max = 5}, overloaded, 1, 5, 0.0)));
}

TEST(Retry, WhatIsGivenUpEndsAsItsLastAttemptDid) {
    const Broken broken{
        {.code = "timed_out", .message = "slow", .status = 504, .error = R"({"message":"slow"})"}};
    const auto spent = std::get<GiveUp>(decide({.attempts_max = 1}, broken, 1, 0, 0.5)).failure;
    EXPECT_EQ(spent.code, "timed_out");
    EXPECT_EQ(spent.status, 504);
    EXPECT_EQ(spent.error, R"({"message":"slow"})");

    const Overloaded overloaded{"busy", std::nullopt, 429, R"({"message":"busy"})"};
    const auto full = std::get<GiveUp>(decide({.overloads_max = 1}, overloaded, 0, 1, 0.5)).failure;
    EXPECT_EQ(full.code, "overloaded");
    EXPECT_EQ(full.message, "The model server stayed overloaded: busy");
    EXPECT_EQ(full.status, 429);
    EXPECT_EQ(full.error, R"({"message":"busy"})");
}

}  // namespace
}  // namespace sheaf::core
