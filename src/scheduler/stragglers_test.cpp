#include <algorithm>

#include <gtest/gtest.h>

#include "scheduler/dispatcher_fixture_test.h"
#include "scheduler/durations.h"

namespace sheaf::scheduler {
namespace {

// How often the prompt was asked.
std::ptrdiff_t count_of(const FakeBackend& backend, const std::string& prompt) {
    return std::ranges::count(backend.seen, prompt);
}

// Enough quick items that `late` would be late, and that an extra run is allowed for each fifty.
std::vector<std::string> quick_items_and(const std::vector<std::string>& late, std::size_t total) {
    std::vector<std::string> prompts(total - late.size(), "quick");
    prompts.insert(prompts.end(), late.begin(), late.end());
    return prompts;
}

using StragglersTest = DispatcherTest;

TEST_F(StragglersTest, OneIsRunOnceMoreAndItsFirstGoodAnswerCounts) {
    fake->delay_of = [&](const std::string& prompt) -> std::chrono::milliseconds {
        if (prompt == "late" && count_of(*fake, "late") == 1) return 1h;
        return 1ms;
    };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(quick_items_and({"late"}, 50));
        dispatcher->wake();
        co_await until_ended(id);
        co_await async::sleep_for(10ms);
        EXPECT_EQ(fake->running, 0) << "the run that was late is stopped";
    });
    EXPECT_EQ(count_of(*fake, "late"), 2);
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 50}));
    EXPECT_EQ(lines(id).back(), "ok late\n");
}

TEST_F(StragglersTest, NoneIsRunAgainOfABatchThatIsBeingCanceled) {
    fake->delay_of = [](const std::string& prompt) { return prompt == "late" ? 300ms : 1ms; };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(quick_items_and({"late"}, 50));
        dispatcher->wake();
        while (find(id).counts.succeeded < 49) co_await async::sleep_for(1ms);
        EXPECT_TRUE(store->batches().apply(id, core::BatchEvent::cancel_requested, clock.now()));
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(count_of(*fake, "late"), 1);
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 50}));
}

TEST_F(StragglersTest, TheFirstRunMayStillBeTheFirst) {
    fake->delay_of = [&](const std::string& prompt) -> std::chrono::milliseconds {
        if (prompt != "late") return 1ms;
        return count_of(*fake, "late") == 1 ? 300ms : 1h;
    };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(quick_items_and({"late"}, 50));
        dispatcher->wake();
        co_await until_ended(id);
        co_await async::sleep_for(10ms);
        EXPECT_EQ(fake->running, 0) << "the extra run is stopped";
    });
    EXPECT_EQ(count_of(*fake, "late"), 2);
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 50}));
}

TEST_F(StragglersTest, ARunThatFailsLeavesTheItemToTheOther) {
    fake->delay_of = [&](const std::string& prompt) -> std::chrono::milliseconds {
        return prompt == "late" && count_of(*fake, "late") == 1 ? 400ms : 1ms;
    };
    fake->answer = [&](const std::string& prompt, std::uint32_t) -> core::Outcome {
        if (prompt == "late" && fake->running > 1) return core::Refused{{"invalid_request", "not here"}};
        return core::Answer{.text = prompt};
    };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(quick_items_and({"late"}, 50));
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(count_of(*fake, "late"), 2);
    EXPECT_EQ(lines(id).back(), "ok late\n");
}

TEST_F(StragglersTest, ExtraRunsAreAtMostOneForFiftyItemsAndTwoForOne) {
    fake->delay_of = [](const std::string& prompt) -> std::chrono::milliseconds {
        return prompt == "quick" ? 1ms : 1s;
    };
    run([&]() -> async::Task<void> {
        const BatchId small = submit(quick_items_and({"a", "b", "c"}, 99));
        dispatcher->wake();
        co_await until_ended(small);
        EXPECT_EQ(fake->seen.size(), 99U + 1U);
        fake->seen.clear();
        const BatchId large = submit(quick_items_and({"a"}, 500));
        dispatcher->wake();
        co_await until_ended(large);
        EXPECT_EQ(count_of(*fake, "a"), 1 + 2);
    });
}

TEST_F(StragglersTest, NoneIsRunAgainInThisProcess) {
    fake->is_remote = false;
    fake->delay_of = [](const std::string& prompt) -> std::chrono::milliseconds {
        return prompt == "late" ? 300ms : 1ms;
    };
    run([&]() -> async::Task<void> {
        const BatchId id = submit(quick_items_and({"late"}, 50));
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(count_of(*fake, "late"), 1);
}

TEST_F(StragglersTest, NoneIsRunAgainWhileItWaitsForItsNextTryOrWhileOthersWaitForSlots) {
    models.at("m").slots = 2;
    models.at("m").retry.first_wait = models.at("m").retry.wait_max = 600ms;
    fake->delay_of = [](const std::string& prompt) -> std::chrono::milliseconds {
        return prompt == "late" ? 300ms : 10ms;
    };
    fake->answer = [&](const std::string& prompt, std::uint32_t attempt) -> core::Outcome {
        if (prompt == "shaky" && attempt == 1) return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    run([&]() -> async::Task<void> {
        std::vector<std::string> prompts(100, "quick");
        prompts[40] = "late";  // the others take longer than it does
        prompts.back() = "shaky";
        const BatchId id = submit(prompts);
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(count_of(*fake, "late"), 1);
    EXPECT_EQ(count_of(*fake, "shaky"), 2);
}

TEST(Durations, TellWhatAllButOneInTwentyStayedBelow) {
    Durations durations;
    for (int n = 1; n <= 19; ++n) durations.add(std::chrono::milliseconds{n});
    EXPECT_EQ(durations.usual_most(), std::nullopt) << "too few";
    for (int n = 20; n <= 100; ++n) durations.add(std::chrono::milliseconds{n});
    EXPECT_EQ(durations.usual_most(), std::chrono::milliseconds{96});
    for (int n = 0; n < 1000; ++n) durations.add(7ms);
    EXPECT_EQ(durations.usual_most(), 7ms) << "of late";
}

}  // namespace
}  // namespace sheaf::scheduler
