#include "engine.h"

#include <gtest/gtest.h>

namespace model_server {
namespace {

constexpr Micros kSecond = 1'000'000;

std::vector<std::uint64_t> ids_of(const std::vector<Served>& served) {
    std::vector<std::uint64_t> ids;
    for (const auto& one : served) ids.push_back(one.id);
    return ids;
}

using Ids = std::vector<std::uint64_t>;

// What ends from now on, one after another.
std::vector<Served> run_out(Engine& engine) {
    std::vector<Served> all;
    while (const auto at = engine.next_end())
        for (const auto& served : engine.advance(*at)) all.push_back(served);
    return all;
}

TEST(Engine, MoreThanTheSlotsWaitInOrder) {
    Engine engine({.limits = {.slots = 2}});
    for (std::uint64_t id = 1; id <= 4; ++id) ASSERT_TRUE(engine.submit(id, {.decode = kSecond}, 0));
    EXPECT_EQ(engine.running(), 2U);
    EXPECT_EQ(engine.waiting(), 2U);
    EXPECT_TRUE(engine.advance(kSecond - 1).empty());
    EXPECT_EQ(ids_of(engine.advance(kSecond)), (Ids{1, 2}));
    const auto rest = run_out(engine);
    ASSERT_EQ(ids_of(rest), (Ids{3, 4}));
    EXPECT_EQ(rest[0].started, kSecond);
    EXPECT_EQ(rest[0].ended, 2 * kSecond);
    EXPECT_EQ(engine.totals().busy, 4 * kSecond);
}

TEST(Engine, WhoLooksLateAnswersLate) {
    Engine engine({.limits = {.slots = 1}});
    for (std::uint64_t id = 1; id <= 2; ++id) engine.submit(id, {.decode = kSecond}, 0);
    EXPECT_EQ(engine.advance(kSecond + 500).at(0).ended, kSecond + 500);
    EXPECT_EQ(engine.next_end(), 2 * kSecond + 500);
    EXPECT_EQ(engine.totals().busy, kSecond + 500);
}

TEST(Engine, AFullQueueRefuses) {
    Engine engine({.limits = {.slots = 1, .queue_max = 1}});
    EXPECT_TRUE(engine.submit(1, {.decode = kSecond}, 0));
    EXPECT_TRUE(engine.submit(2, {.decode = kSecond}, 0));
    EXPECT_FALSE(engine.submit(3, {.decode = kSecond}, 0));
    engine.advance(kSecond);
    EXPECT_TRUE(engine.submit(4, {.decode = kSecond}, kSecond));
}

TEST(Engine, BeyondTheKneeTheWholeGetsSlower) {
    const auto seconds_of = [](std::uint32_t count) {
        Engine engine({.limits = {.knee = 10}});
        for (std::uint64_t id = 0; id < count; ++id) engine.submit(id, {.decode = kSecond}, 0);
        return static_cast<double>(run_out(engine).back().ended) / kSecond;
    };
    EXPECT_NEAR(seconds_of(10), 1, 1e-5);
    // 20 at half the rate of 10: each at a quarter of its speed.
    EXPECT_NEAR(seconds_of(20), 4, 1e-5);
}

TEST(Engine, WhatComesLaterSlowsDownWhatRuns) {
    Engine engine({.limits = {.knee = 1}});
    engine.submit(1, {.decode = kSecond}, 0);
    engine.submit(2, {.decode = kSecond}, kSecond / 2);
    // Two at knee 1 run at a quarter of the speed: half a second of work takes two.
    const auto served = run_out(engine);
    ASSERT_EQ(ids_of(served), (Ids{1, 2}));
    EXPECT_NEAR(static_cast<double>(served[0].ended), 2.5 * kSecond, 2);
    EXPECT_NEAR(static_cast<double>(served[1].ended), 3.0 * kSecond, 2);
}

TEST(Engine, ACanceledRequestFreesItsSlot) {
    Engine engine({.limits = {.slots = 1}});
    engine.submit(1, {.hangs = true}, 0);
    engine.submit(2, {.decode = kSecond}, 0);
    engine.submit(3, {.decode = kSecond}, 0);
    EXPECT_EQ(engine.next_end(), std::nullopt);
    engine.cancel(3, 5);
    engine.cancel(1, kSecond);
    EXPECT_EQ(ids_of(engine.advance(2 * kSecond)), (Ids{2}));
    EXPECT_EQ(engine.running() + engine.waiting(), 0U);
}

TEST(Engine, SlotsMayChangeWhileItRuns) {
    Engine engine({.limits = {.slots = 4}});
    for (std::uint64_t id = 1; id <= 8; ++id) engine.submit(id, {.decode = kSecond}, 0);
    engine.set_limits({.slots = 1}, 0);
    EXPECT_EQ(engine.advance(kSecond).size(), 4U);
    EXPECT_EQ(engine.running(), 1U);
    engine.set_limits({.slots = 4}, kSecond);
    EXPECT_EQ(engine.running(), 4U);
}

TEST(Engine, ACachedPrefixShortensThePrefill) {
    Engine engine({.kv_tokens = 1600, .prefill_tokens_per_s = 1000});
    const std::vector<std::uint64_t> blocks{1, 2, 3};
    engine.submit(1, {.prompt_tokens = 50, .blocks = blocks}, 0);
    auto served = run_out(engine);
    ASSERT_EQ(served.size(), 1U);
    EXPECT_EQ(served[0].ended, 50'000);
    EXPECT_EQ(served[0].cached_tokens, 0U);
    engine.submit(2, {.prompt_tokens = 50, .blocks = blocks}, kSecond);
    served = run_out(engine);
    EXPECT_EQ(served.at(0).cached_tokens, 48U);
    EXPECT_EQ(served.at(0).ended, kSecond + 2000);
    EXPECT_EQ(engine.totals().prefill_tokens, 52U);
    EXPECT_EQ(engine.cache().distinct_tokens() + engine.totals().uncachable_tokens, 52U);
}

TEST(Engine, ThoseThatStartTogetherDoNotShareAPrefill) {
    Engine engine({.kv_tokens = 1600, .prefill_tokens_per_s = 1000});
    for (std::uint64_t id = 1; id <= 2; ++id) engine.submit(id, {.prompt_tokens = 16, .blocks = {7}}, 0);
    run_out(engine);
    EXPECT_EQ(engine.totals().prefill_tokens, 32U);
}

TEST(KvCache, LosesTheEndOfWhatWasUsedLongestAgo) {
    KvCache cache(4ULL * kBlockTokens);
    const std::vector<std::uint64_t> first{1, 2, 3}, second{4, 5};
    cache.insert(first);
    cache.insert(second);
    EXPECT_EQ(cache.find(first), 2U);
    EXPECT_EQ(cache.find(second), 2U);
    EXPECT_EQ(cache.usage(), 1.0);
}

TEST(KvCache, ABlockIsKnownByAllThatStandsBeforeIt) {
    const std::string same(64, 'x');
    const auto one = block_chain("a" + same + same + same, 4);
    const auto other = block_chain("b" + same + same + same, 4);
    ASSERT_EQ(one.size(), 3U);
    EXPECT_NE(one[1], other[1]);
    EXPECT_EQ(one, block_chain("a" + same + same + same, 4));
}

}  // namespace
}  // namespace model_server
