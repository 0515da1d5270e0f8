#include "media/frame_cache.h"

#include <atomic>
#include <latch>
#include <thread>

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/timer.h"

namespace sheaf::media {
namespace {

using Got = std::optional<Result<FrameCache::Set>>;

async::Task<> keep(async::Task<Result<FrameCache::Set>> task, Got& to) {
    to.emplace(co_await std::move(task));
}

FrameSet frames_of(std::size_t bytes) {
    FrameSet set;
    set.frames.push_back({.time = 0, .width = 1, .height = 1, .bytes = std::string(bytes, 'x')});
    return set;
}

class FrameCacheTest : public testing::Test {
protected:
    ~FrameCacheTest() override { pool_.join(); }

    Got get(FrameCache& cache, const std::string& key, FrameCache::Decode decode) {
        boost::asio::io_context io;
        async::TaskGroup group(io.get_executor());
        Got got;
        group.spawn(keep(cache.get(key, {}, std::move(decode)), got));
        io.run();
        return got;
    }
    Got get(FrameCache& cache, const std::string& key, std::size_t bytes) {
        return get(cache, key, [this, bytes](std::stop_token) -> Result<FrameSet> {
            ++decodes_;
            return frames_of(bytes);
        });
    }

    std::atomic<int> decodes_{0};
    boost::asio::thread_pool pool_{2};
};

TEST_F(FrameCacheTest, WhatWasNotAskedForTheLongestGoesFirst) {
    FrameCache cache(3500, pool_);
    get(cache, "a", 1000);
    get(cache, "b", 1000);
    get(cache, "c", 1000);
    get(cache, "a", 1000);
    get(cache, "d", 1000);  // pushes b out
    EXPECT_EQ(decodes_, 4);
    get(cache, "a", 1000);
    EXPECT_EQ(decodes_, 4);
    get(cache, "b", 1000);
    EXPECT_EQ(decodes_, 5);
    EXPECT_LE(cache.stats().bytes, 3500U);
}

TEST_F(FrameCacheTest, ASetLargerThanTheCacheIsGivenButNotKept) {
    FrameCache cache(500, pool_);
    const auto got = get(cache, "a", 1000);
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((**got)->frames.front().bytes.size(), 1000U);
    EXPECT_EQ(cache.stats().bytes, 0U);
}

TEST_F(FrameCacheTest, ErrorsAreNotKept) {
    FrameCache cache(10000, pool_);
    const auto failed = get(
        cache, "a", [](std::stop_token) -> Result<FrameSet> { return fail(ErrorCode::unavailable, "No."); });
    ASSERT_TRUE(failed && !*failed);
    EXPECT_EQ(failed->error().code, ErrorCode::unavailable);
    const auto got = get(cache, "a", 10);
    ASSERT_TRUE(got && *got);
}

TEST_F(FrameCacheTest, AskersOnDifferentExecutorsShareOneDecode) {
    FrameCache cache(100000, pool_);
    std::latch all_ask{20};
    std::vector<std::thread> threads;
    std::vector<Got> sets(20);
    for (auto& set : sets) {
        threads.emplace_back([&] {
            all_ask.arrive_and_wait();
            set = get(cache, "a", [this](std::stop_token) -> Result<FrameSet> {
                ++decodes_;
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
                return frames_of(100);
            });
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(decodes_, 1);
    for (const auto& set : sets) ASSERT_TRUE(set && *set);
    EXPECT_EQ(cache.stats().hits, 19U);
}

// Waits for its token, or for leave to end.
struct Held {
    std::latch started{1};
    std::atomic<bool> released{false};
    std::atomic<bool> stopped{false};

    Result<FrameSet> decode(const std::stop_token& stop) {
        started.count_down();
        while (!released && !stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (!stop.stop_requested()) return frames_of(10);
        stopped = true;
        return fail(ErrorCode::canceled, "Stopped.");
    }
};

TEST_F(FrameCacheTest, OneAskerThatIsCanceledDisturbsNobody) {
    FrameCache cache(100000, pool_);
    Held held;
    boost::asio::io_context io;
    async::TaskGroup leaving(io.get_executor());
    async::TaskGroup staying(io.get_executor());
    Got left;
    Got stayed;
    const auto decode = [&held](std::stop_token stop) { return held.decode(stop); };
    leaving.spawn(keep(cache.get("a", {}, decode), left));
    staying.spawn(keep(cache.get("a", {}, decode), stayed));
    const auto director = [](async::TaskGroup& group, Held& work) -> async::Task<> {
        work.started.wait();
        group.stop();
        co_await group.wait_until_empty();
        work.released = true;
    };
    async::TaskGroup other(io.get_executor());
    other.spawn(director(leaving, held));
    io.run();
    EXPECT_FALSE(held.stopped);
    ASSERT_TRUE(stayed && *stayed);
    EXPECT_TRUE(!left || !*left);
}

TEST_F(FrameCacheTest, WhenAllAreCanceledTheDecoderIsToldAndTheNextAskerStartsAnew) {
    FrameCache cache(100000, pool_);
    Held held;
    boost::asio::io_context io;
    async::TaskGroup leaving(io.get_executor());
    Got first;
    Got second;
    const auto decode = [&held](std::stop_token stop) { return held.decode(stop); };
    leaving.spawn(keep(cache.get("a", {}, decode), first));
    leaving.spawn(keep(cache.get("a", {}, decode), second));
    const auto director = [](async::TaskGroup& group, Held& work) -> async::Task<> {
        work.started.wait();
        group.stop();
        co_await group.wait_until_empty();
    };
    async::TaskGroup other(io.get_executor());
    other.spawn(director(leaving, held));
    io.run();
    EXPECT_TRUE(!first || !*first);
    const auto got = get(cache, "a", 10);
    ASSERT_TRUE(got && *got);
    pool_.join();
    EXPECT_TRUE(held.stopped);
}

}  // namespace
}  // namespace sheaf::media
