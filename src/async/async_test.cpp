#include <thread>

#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <gtest/gtest.h>

#include "async/blocking.h"
#include "async/task_group.h"
#include "async/timer.h"
#include "base/out_of_memory.h"

namespace sheaf::async {
namespace {

using namespace std::chrono_literals;

TEST(Lane, RunsElsewhereAndResumesAtHome) {
    boost::asio::io_context home;
    Lane lane(1);
    TaskGroup group(home.get_executor());
    std::thread::id worked;
    std::thread::id resumed;
    std::string got;
    auto task = [&]() -> Task<void> {
        got = co_await lane.run([&] {
            worked = std::this_thread::get_id();
            return std::string("value");
        });
        co_await lane.run([] {});
        resumed = std::this_thread::get_id();
    };
    group.spawn(task());
    home.run();
    EXPECT_EQ(got, "value");
    EXPECT_NE(worked, std::this_thread::get_id());
    EXPECT_EQ(resumed, std::this_thread::get_id());
}

TEST(TaskGroup, StopEndsWhatWaits) {
    boost::asio::io_context home;
    TaskGroup group(home.get_executor());
    bool emptied = false;
    auto sleeper = []() -> Task<void> { co_await sleep_for(1h); };
    auto stopper = [&]() -> Task<void> {
        co_await sleep_for(1ms);
        group.stop();
        co_await group.wait_until_empty();
        emptied = true;
    };
    group.spawn(sleeper());
    group.spawn(sleeper());
    boost::asio::co_spawn(home, stopper(), boost::asio::detached);
    home.run();
    EXPECT_TRUE(emptied);
    EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, OneOfThemCanBeStopped) {
    boost::asio::io_context home;
    TaskGroup group(home.get_executor());
    std::vector<int> ended;
    struct Note {
        std::vector<int>& notes;
        int number;
        ~Note() { notes.push_back(number); }
    };
    auto sleeper = [&](int number, std::chrono::milliseconds time) -> Task<void> {
        const Note note{ended, number};
        co_await sleep_for(time);
    };
    TaskGroup::Entry first;
    auto stopper = [&]() -> Task<void> {
        TaskGroup::stop(first);
        co_return;
    };
    group.spawn(sleeper(1, 1h), first);
    group.spawn(sleeper(2, 5ms));
    group.spawn(stopper());
    home.run();
    EXPECT_EQ(ended, (std::vector<int>{1, 2}));
}

TEST(Bell, ARingBeforeTheWaitIsRemembered) {
    boost::asio::io_context home;
    TaskGroup group(home.get_executor());
    Bell bell(home.get_executor());
    std::vector<bool> woken;
    auto listener = [&]() -> Task<void> {
        bell.ring();
        woken.push_back(co_await bell.wait_for(1h));
        woken.push_back(co_await bell.wait_for(1ms));
        bell.ring_from_any_thread();
        woken.push_back(co_await bell.wait_for(1h));
    };
    group.spawn(listener());
    home.run();
    EXPECT_EQ(woken, (std::vector<bool>{true, false, true}));
}

TEST(Bell, SeveralMayWaitWithoutWakingEachOther) {
    boost::asio::io_context home;
    TaskGroup group(home.get_executor());
    Bell bell(home.get_executor());
    int turns = 0;
    bool open = false;
    auto waiter = [&]() -> Task<void> {
        while (!open) {
            ++turns;
            co_await bell.wait_for(1h);
        }
        bell.ring();
    };
    auto opener = [&]() -> Task<void> {
        co_await sleep_for(20ms);
        open = true;
        bell.ring();
    };
    for (int i = 0; i < 3; ++i) group.spawn(waiter());
    group.spawn(opener());
    home.run();
    EXPECT_EQ(turns, 3) << "each waited once";
}

TEST(Lane, LongWorkLearnsThatItsCoroutineWasCanceled) {
    boost::asio::io_context home;
    Lane lane(1);
    TaskGroup group(home.get_executor());
    bool was_told = false;
    auto task = [&]() -> Task<void> {
        co_await lane.run_stoppable([&](const std::atomic<bool>& stop) {
            for (int i = 0; i < 5'000 && !stop; ++i) std::this_thread::sleep_for(1ms);
            was_told = stop;
            return true;
        });
    };
    auto stopper = [&]() -> Task<void> {
        co_await sleep_for(5ms);
        group.stop();
    };
    group.spawn(task());
    boost::asio::co_spawn(home, stopper(), boost::asio::detached);
    home.run();
    EXPECT_TRUE(was_told);
}

TEST(On, CancelingRacesWithEndingAndNeitherIsLost) {
    boost::asio::io_context home;
    boost::asio::io_context other;
    auto guard = boost::asio::make_work_guard(other);
    std::thread thread([&] { other.run(); });
    for (int round = 0; round < 500; ++round) {
        TaskGroup group(home.get_executor());
        auto inner = [](int micros) -> Task<int> {
            co_await sleep_for(std::chrono::milliseconds{micros % 3 == 0 ? 0 : 1});
            co_return micros;
        };
        auto outer = [&]() -> Task<void> { (void)co_await on(other.get_executor(), inner(round)); };
        auto stopper = [&]() -> Task<void> {
            co_await sleep_for(std::chrono::milliseconds{round % 2});
            group.stop();
            co_await group.wait_until_empty();
        };
        group.spawn(outer());
        boost::asio::co_spawn(home, stopper(), boost::asio::detached);
        home.run();
        home.restart();
        ASSERT_EQ(group.size(), 0U);
    }
    guard.reset();
    thread.join();
}

// Where the work runs, without memory, in a process of its own.
void run_without_memory(bool on_lane) {
    end_when_out_of_memory();
    boost::asio::io_context home;
    Lane lane(1);
    TaskGroup group(home.get_executor());
    auto task = [&]() -> Task<void> {
        if (!on_lane) throw std::bad_alloc();
        co_await lane.run([] { throw std::bad_alloc(); });
    };
    group.spawn(task());
    home.run();
}

TEST(OutOfMemoryDeathTest, EndsTheProcessOnALaneAndInATaskOfAGroup) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    for (const bool on_lane : {true, false})
        EXPECT_EXIT(run_without_memory(on_lane), testing::ExitedWithCode(kOutOfMemoryExit), "out of memory");
}

TEST(On, RunsOnTheOtherExecutorAndReturnsItsValue) {
    boost::asio::io_context home;
    boost::asio::io_context other;
    auto guard = boost::asio::make_work_guard(other);
    std::thread thread([&] { other.run(); });
    TaskGroup group(home.get_executor());
    std::thread::id there;
    int value = 0;
    auto inner = [&]() -> Task<int> {
        there = std::this_thread::get_id();
        co_return 7;
    };
    auto outer = [&]() -> Task<void> { value = co_await on(other.get_executor(), inner()); };
    group.spawn(outer());
    home.run();
    EXPECT_EQ(value, 7);
    EXPECT_EQ(there, thread.get_id());
    guard.reset();
    thread.join();
}

}  // namespace
}  // namespace sheaf::async
