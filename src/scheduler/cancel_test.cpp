#include <gtest/gtest.h>

#include "scheduler/dispatcher_fixture_test.h"

namespace sheaf::scheduler {
namespace {

class CancelTest : public DispatcherTest {
protected:
    // Returns when the batch has ended.
    async::Task<void> cancel(BatchId id) {
        EXPECT_TRUE(store->batches().apply(id, core::BatchEvent::cancel_requested, clock.now()));
        dispatcher->wake();
        co_await until_ended(id);
    }
};

TEST_F(CancelTest, ACancelLetsWhatRunsFinish) {
    fake->delay = 50ms;
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(std::vector<std::string>(10, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        co_await cancel(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 4, .canceled = 6}));
    EXPECT_EQ(find(id).end_reason, core::EndReason::canceled);
    EXPECT_EQ(fake->seen.size(), 4U);
}

TEST_F(CancelTest, ACancelEndsWhatWasOnlyLeasedAheadOfNeed) {
    fake->delay = 200ms;
    fake->is_reading = true;
    BatchId id;
    run([&]() -> async::Task<void> {
        // The others wait for the first to be read.
        const std::string prompt(40'000, 'x');
        id = submit({prompt, prompt, prompt, prompt, prompt}, kAnna, "m",
                    {{0, 7}, {1, 7}, {2, 7}, {3, 7}, {4, 7}});
        dispatcher->wake();
        while (fake->running < 1) co_await async::sleep_for(1ms);
        EXPECT_GT(find(id).counts.running, 1U);
        co_await cancel(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 1, .canceled = 4}));
    EXPECT_EQ(find(id).end_reason, core::EndReason::canceled);
    EXPECT_EQ(fake->seen.size(), 1U) << "nothing more was asked";
}

TEST_F(CancelTest, ACancelEndsWhatWaitsForItsNextTry) {
    models.at("m").retry = {.first_wait = 24h, .wait_max = 24h};
    fake->answer = [&](const std::string& prompt, std::uint32_t) -> core::Outcome {
        if (prompt != "good") return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    fake->delay_of = [](const std::string& prompt) { return prompt == "late" ? 100ms : 0ms; };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit({"good", "shaky", "late"});
        dispatcher->wake();
        while (fake->seen.size() < 3 || find(id).counts.succeeded < 1) co_await async::sleep_for(1ms);
        co_await cancel(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 1, .canceled = 2}));
    EXPECT_EQ(fake->seen.size(), 3U);
}

TEST_F(CancelTest, ACancelFinishesWhatIsRunningWhereTheProtocolSaysSo) {
    codec.finishes_running = true;
    fake->answer = [](const std::string& prompt, std::uint32_t attempt) -> core::Outcome {
        if (attempt == 1) return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    models.at("m").retry.first_wait = models.at("m").retry.wait_max = 100ms;
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(std::vector<std::string>(10, "x"));
        dispatcher->wake();
        while (fake->seen.size() < 4) co_await async::sleep_for(1ms);
        co_await cancel(id);
    });
    EXPECT_GE(find(id).counts.succeeded, 4U);
    EXPECT_EQ(find(id).counts.succeeded + find(id).counts.canceled, 10U);
}

TEST_F(CancelTest, ACancelDoesNotWaitForAModelServerThatIsOut) {
    BatchId id;
    run([&]() -> async::Task<void> {
        id = co_await submit_to_a_server_that_is_out();
        co_await cancel(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.canceled = 2}));
    EXPECT_TRUE(fake->seen.empty());
}

TEST_F(CancelTest, OfACanceledBatchNothingRunsAgainWhoseHolderWasLost) {
    const BatchId id = submit({"a", "b", "c"});
    ASSERT_EQ(store->items().claim({.batch = id, .count_max = 2, .now = clock.now()})->leases.size(), 2U);
    ASSERT_TRUE(store->batches().apply(id, core::BatchEvent::cancel_requested, clock.now()));
    clock.advance(61s);
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(find(id).counts, (core::Counts{.canceled = 3}));
    EXPECT_TRUE(fake->seen.empty());
}

TEST_F(CancelTest, NoSlotIsNeededToCancelWhatALostHolderLeft) {
    fake->delay = 1h;
    grace = 10ms;
    const BatchId lost = submit({"a", "b"});
    ASSERT_EQ(store->items().claim({.batch = lost, .count_max = 2, .now = clock.now()})->leases.size(), 2U);
    run([&]() -> async::Task<void> {
        submit(std::vector<std::string>(40, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        EXPECT_TRUE(store->batches().apply(lost, core::BatchEvent::cancel_requested, clock.now()));
        clock.advance(61s);
        dispatcher->wake();
        co_await until_ended(lost);
    });
    EXPECT_EQ(find(lost).counts, (core::Counts{.canceled = 2}));
}

}  // namespace
}  // namespace sheaf::scheduler
