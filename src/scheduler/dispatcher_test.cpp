#include <gtest/gtest.h>

#include "scheduler/dispatcher_fixture_test.h"

namespace sheaf::scheduler {
namespace {

TEST_F(DispatcherTest, EveryItemIsRunOnceAndItsLineStandsInOrder) {
    std::vector<std::string> prompts;
    std::vector<std::string> expected;
    for (int i = 0; i < 100; ++i) {
        prompts.push_back("p" + std::to_string(i));
        expected.push_back("ok p" + std::to_string(i) + "\n");
    }
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(prompts);
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 100}));
    EXPECT_EQ(find(id).end_reason, core::EndReason::completed);
    EXPECT_EQ(lines(id), expected);
    EXPECT_EQ(fake->seen.size(), 100U);
}

TEST_F(DispatcherTest, NoMoreRunAtOnceThanThereAreSlots) {
    fake->delay = 5ms;
    run([&]() -> async::Task<void> {
        const BatchId id = submit(std::vector<std::string>(40, "x"));
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(fake->most_running, 4);
}

TEST_F(DispatcherTest, NoMoreRunAtOnceThanTheBackendsWindowWhichMayWiden) {
    fake->delay = 1h;
    fake->limit = 2;
    grace = 10ms;
    run([&]() -> async::Task<void> {
        const auto expect_running = [this](int count) -> async::Task<void> {
            while (fake->running < count) co_await async::sleep_for(1ms);
            co_await async::sleep_for(20ms);
            EXPECT_EQ(fake->running, count);
        };
        submit(std::vector<std::string>(40, "x"));
        dispatcher->wake();
        co_await expect_running(2);
        fake->limit = 3;
        fake->told();
        co_await expect_running(3);
        fake->limit = 100;
        fake->told();
        co_await expect_running(4);  // the model's own slots
    });
}

TEST_F(DispatcherTest, LiveCallsTakeTheirPartOfTheWindowFirst) {
    Model model{.name = "m", .backend = std::make_unique<FakeBackend>(), .slots = 100};
    auto& window = static_cast<FakeBackend&>(*model.backend).limit;
    const auto now = clock.now();
    EXPECT_EQ(slots_of(model, now), 100U) << "no window";
    window = 40;
    EXPECT_EQ(slots_of(model, now), 40U);
    model.live_at = now;
    EXPECT_EQ(slots_of(model, now + 59s), 36U) << "a tenth is kept for the next";
    EXPECT_EQ(slots_of(model, now + 60s), 40U) << "none came for a minute";
    model.live_running = 3;
    EXPECT_EQ(slots_of(model, now), 36U) << "the live calls use what is kept";
    model.live_running = 10;
    EXPECT_EQ(slots_of(model, now), 30U);
    model.live_running = 50;
    EXPECT_EQ(slots_of(model, now), 0U);
    model.live_running = 0;
    window = 2;
    EXPECT_EQ(slots_of(model, now), 1U);
    window = 1;
    EXPECT_EQ(slots_of(model, now), 1U) << "or nothing would run at all";
}

TEST_F(DispatcherTest, WhileNoServerAnswersItemsWaitAndLiveCallsDoNot) {
    BatchId id;
    run([&]() -> async::Task<void> {
        id = co_await submit_to_a_server_that_is_out();
        co_await async::sleep_for(20ms);
        EXPECT_TRUE(fake->seen.empty());
        const core::Ending ending = co_await dispatcher->run_live(
            kAnna,
            core::VideoAnalysis{.model = "m", .video = core::FromAsset{asset_id}, .prompt = {.text = "live"}},
            {});
        EXPECT_TRUE(std::holds_alternative<core::Succeeded>(ending));
        EXPECT_EQ(fake->seen, std::vector<std::string>{"live"});
        fake->out = false;
        co_await until_ended(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 2}));
}

TEST_F(DispatcherTest, WhatBreaksWhileNoServerAnswersCountsAsNoAttemptForLong) {
    std::map<std::string, int> breaks;
    fake->answer = [&](const std::string& prompt, std::uint32_t) -> core::Outcome {
        const int times = prompt == "unlucky" ? 10 : 1'000;
        if (++breaks[prompt] > times) return core::Answer{.text = prompt};
        fake->out = true;
        return core::Broken{{"analysis_failed", "no connection"}};
    };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit({"unlucky", "poison"});
        dispatcher->wake();
        while (find(id).state != core::BatchState::ended) {
            co_await async::sleep_for(2ms);
            fake->out = false;
        }
    });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"ok unlucky\n", "failed analysis_failed\n"}));
    EXPECT_EQ(breaks["poison"], 16 + 3);
}

TEST_F(DispatcherTest, RepeatsOfBrokenAttemptsAreSaidToBeSuch) {
    fake->answer = [](const std::string& prompt, std::uint32_t attempt) -> core::Outcome {
        if (attempt == 1) return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    run([&]() -> async::Task<void> {
        const BatchId id = submit({"a"});
        dispatcher->wake();
        co_await until_ended(id);
    });
    using enum backend::Backend::Try;
    EXPECT_EQ(fake->tries, (std::vector{first, after_break}));
}

TEST_F(DispatcherTest, TheFirstOfARunGoesAloneAndOthersTakeItsNeighboursSlots) {
    fake->delay = 200ms;
    fake->is_reading = true;
    run([&]() -> async::Task<void> {
        // Long enough that its reading takes longer than the answer.
        const std::string tail(40'000, 'x');
        const BatchId id = submit({"a1" + tail, "a2" + tail, "a3" + tail, "b1" + tail, "b2" + tail, "alone"},
                                  kAnna, "m", {{0, 7}, {1, 7}, {2, 7}, {3, 8}, {4, 8}, {5, 0}});
        dispatcher->wake();
        while (fake->running < 3) co_await async::sleep_for(1ms);
        co_await async::sleep_for(5ms);
        EXPECT_EQ(fake->running, 3) << "four slots, and one is left free rather than read a beginning twice";
        co_await until_ended(id);
    });
    ASSERT_EQ(fake->seen.size(), 6U);
    // Which of them has its video first is chance.
    std::ranges::sort(fake->seen.begin(), fake->seen.begin() + 3);
    EXPECT_TRUE(fake->seen[0].starts_with("a1"));
    EXPECT_EQ(fake->seen[1], "alone");
    EXPECT_TRUE(fake->seen[2].starts_with("b1"));
    EXPECT_EQ(fake->most_running, 3);
}

// The first of another account's run is next by fairness, and waits while enough follow the run that is read
// already: those go on.
TEST_F(DispatcherTest, TheOnlySlotIsNotKeptForARunThatMayNotBeginYet) {
    models.at("m").slots = 1;
    fake->is_reading = true;
    fake->delay = 5ms;
    std::vector<core::Planned> one_run, another;
    for (std::uint32_t i = 0; i < 30; ++i) one_run.push_back({i, 9});
    for (std::uint32_t i = 0; i < 3; ++i) another.push_back({i, 7});
    run([&]() -> async::Task<void> {
        const BatchId first = submit(std::vector<std::string>(30, "x"), kAnna, "m", one_run);
        while (find(first).counts.succeeded < 5) co_await async::sleep_for(1ms);
        const AccountId bert{"bert"};
        const BatchId second = submit(std::vector<std::string>(3, "y"), bert, "m", another);
        dispatcher->wake();
        co_await until_ended(first);
        while (store->batches().find(bert, second)->state != core::BatchState::ended)
            co_await async::sleep_for(1ms);
    });
}

TEST_F(DispatcherTest, AnItemThatWaitsForItsNextTryLeavesItsSlot) {
    models.at("m").retry.first_wait = 10s;
    models.at("m").retry.wait_max = 10s;
    models.at("m").slots = 1;
    fake->answer = [](const std::string& prompt, std::uint32_t attempt) -> core::Outcome {
        if (prompt == "shaky" && attempt == 1) return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    grace = 0ms;
    run([&]() -> async::Task<void> {
        const BatchId id = submit({"shaky", "b", "c"});
        dispatcher->wake();
        while (find(id).counts.succeeded < 2) co_await async::sleep_for(1ms);
    });
    EXPECT_EQ(fake->seen, (std::vector<std::string>{"shaky", "b", "c"}));
}

TEST_F(DispatcherTest, ASlowModelHasNothingLeasedThatDoesNotRun) {
    fake->delay = 20ms;
    run([&]() -> async::Task<void> {
        const BatchId id = submit(std::vector<std::string>(60, "x"));
        dispatcher->wake();
        for (int look = 0; look < 10; ++look) {
            co_await async::sleep_for(10ms);
            EXPECT_LE(find(id).counts.running, 4U + 10U)
                << "what ends within a twentieth of a second is leased";
        }
        co_await until_ended(id);
    });
}

TEST_F(DispatcherTest, ABrokenAttemptIsRepeatedAndARefusalIsNot) {
    fake->answer = [](const std::string& prompt, std::uint32_t attempt) -> core::Outcome {
        if (prompt == "refused") return core::Refused{{"output_invalid", "no"}};
        if (prompt == "hopeless") return core::Broken{{"analysis_failed", "500"}};
        if (prompt == "shaky" && attempt < 3) return core::Broken{{"analysis_failed", "500"}};
        return core::Answer{.text = prompt};
    };
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit({"good", "refused", "hopeless", "shaky"});
        dispatcher->wake();
        co_await until_ended(id);
    });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"ok good\n", "failed output_invalid\n",
                                                   "failed analysis_failed\n", "ok shaky\n"}));
    EXPECT_EQ(std::ranges::count(fake->seen, "refused"), 1);
    EXPECT_EQ(std::ranges::count(fake->seen, "hopeless"), 3);
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 2, .failed = 2}));
}

TEST_F(DispatcherTest, ABusyOneSeesWhatOthersSubmittedThoughNobodyTellsIt) {
    fake->delay = 10ms;
    run([&]() -> async::Task<void> {
        const BatchId busy = submit(std::vector<std::string>(5'000, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        const BatchId others = submit({"y"});
        co_await until_ended(others);
        EXPECT_NE(find(busy).state, core::BatchState::ended);
        EXPECT_TRUE(store->batches().apply(busy, core::BatchEvent::cancel_requested, clock.now()));
        dispatcher->wake();
        co_await until_ended(busy);
    });
}

TEST_F(DispatcherTest, AnExpiredBatchFreesItsSlots) {
    fake->delay = 1h;
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(std::vector<std::string>(10, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        clock.advance(24h);
        co_await until_ended(id);
        while (fake->running > 0) co_await async::sleep_for(1ms);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.expired = 10}));
    EXPECT_EQ(find(id).end_reason, core::EndReason::expired);
}

TEST_F(DispatcherTest, AnEndedBatchIsLaidOutAndPurgedWhenItsTimeComes) {
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit({"a", "b"});
        dispatcher->wake();
        while (!find(id).results_bytes) co_await async::sleep_for(1ms);
        EXPECT_EQ(*find(id).results_bytes, 10U);
        clock.advance(721h);
        while (store->batches().find(kAnna, id)) co_await async::sleep_for(1ms);
    });
}

TEST_F(DispatcherTest, WhatItRunsItselfIsNotLeasedAgainAfterAJumpOfTheClock) {
    fake->delay = 30ms;
    BatchId id;
    run([&]() -> async::Task<void> {
        id = submit(std::vector<std::string>(12, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        clock.advance(61s);
        co_await until_ended(id);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.succeeded = 12}));
    EXPECT_EQ(fake->seen.size(), 12U) << "each ran once";
}

TEST_F(DispatcherTest, StoppingGivesBackWhatDidNotFinishInTime) {
    grace = 20ms;
    fake->delay = 1h;
    const BatchId id = submit({"slow"});
    run([&]() -> async::Task<void> {
        dispatcher->wake();
        while (fake->running < 1) co_await async::sleep_for(1ms);
    });
    EXPECT_EQ(find(id).counts, (core::Counts{.running = 1})) << "states never move backwards";
    fake->delay = 0ms;
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"ok slow\n"}));
}

TEST_F(DispatcherTest, AnItemThatOutlivesNoLeaseRunsOut) {
    const BatchId id = submit({"poison"});
    for (int crash = 0; crash < 3; ++crash) {
        auto claimed = store->items().claim({.batch = id, .now = clock.now(), .lease_for = 1ms});
        ASSERT_EQ(claimed->leases.size(), 1U);
        clock.advance(1s);
    }
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"failed analysis_failed\n"}));
    EXPECT_TRUE(fake->seen.empty());
}

TEST_F(DispatcherTest, ADeletedAssetFailsItsItemsAlone) {
    const BatchId id = submit({"a", "b"});
    EXPECT_TRUE(store->assets().remove(kAnna, asset_id, {.force = true}));
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(lines(id), (std::vector<std::string>(2, "failed asset_unavailable\n")));
    EXPECT_EQ(find(id).end_reason, core::EndReason::completed) << "a batch never fails";
}

TEST_F(DispatcherTest, ALiveCallDoesNotWaitForBatchWork) {
    fake->delay = 20ms;
    std::string text;
    run([&]() -> async::Task<void> {
        const BatchId id = submit(std::vector<std::string>(100, "x"));
        dispatcher->wake();
        while (fake->running < 4) co_await async::sleep_for(1ms);
        const core::Ending ending = co_await dispatcher->run_live(
            kAnna,
            core::VideoAnalysis{.model = "m", .video = core::FromAsset{asset_id}, .prompt = {.text = "live"}},
            {});
        text = std::get<core::Succeeded>(ending).answer.text;
        EXPECT_LT(find(id).counts.succeeded, 20U);
    });
    EXPECT_EQ(text, "live");
}

TEST_F(DispatcherTest, AFailedFetchFailsTheLiveCallPlainly) {
    run([&]() -> async::Task<void> {
        const core::Ending ending = co_await dispatcher->run_live(
            kAnna, core::VideoAnalysis{.model = "m", .video = core::FromUrl{"https://example.org/a.mp4"}},
            {});
        EXPECT_EQ(std::get<core::Failed>(ending).failure.code, "asset_unavailable");
    });
}

TEST_F(DispatcherTest, ItemsOfAMixedBatchGoEachToItsModelAndAFullOneHoldsUpNoOther) {
    add_model("slow", 1)->delay = 100ms;
    codec.models = {{"s1", "slow"}, {"s2", "slow"}, {"f1", "m"}, {"f2", "m"}, {"u", "unknown"}};
    const BatchId id = submit({"s1", "s2", "f1", "u", "f2"}, kAnna, "");
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(lines(id), (std::vector<std::string>{"ok s1\n", "ok s2\n", "ok f1\n",
                                                   "failed model_not_found\n", "ok f2\n"}));
    std::ranges::sort(fake->seen);
    EXPECT_EQ(fake->seen, (std::vector<std::string>{"f1", "f2"}));
}

TEST_F(DispatcherTest, AMixedBatchTakesNoMoreSlotsThanAModelHas) {
    std::vector<std::string> prompts;
    for (int n = 0; n < 600; ++n) {
        prompts.push_back(std::to_string(n));
        codec.models[prompts.back()] = "m";
    }
    fake->delay = 1ms;
    const BatchId id = submit(prompts, kAnna, "");
    run([&]() -> async::Task<void> { co_await until_ended(id); });
    EXPECT_EQ(fake->most_running, static_cast<int>(models.at("m").slots));
    EXPECT_EQ(find(id).counts.succeeded, 600U);
}

}  // namespace
}  // namespace sheaf::scheduler
