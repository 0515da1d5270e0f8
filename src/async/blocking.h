#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "async/task.h"

namespace sheaf::async {

// Where a lane's work runs in a simulation, which has no threads.
class Stage {
public:
    virtual ~Stage() = default;
    // Runs `work` some time, then `resume`, which resumes whoever waits; or drops both, and whoever waits.
    virtual void put(std::move_only_function<void()> work, std::move_only_function<void()> resume) = 0;
};

// Threads for what blocks: a database, a disk, libcurl.
//
// Must outlive every coroutine that awaits it. The destructor waits for the work under way.
class Lane {
public:
    explicit Lane(std::size_t threads) : pool_(std::in_place, threads) {}
    explicit Lane(Stage& stage) : stage_(&stage) {}
    ~Lane() {
        if (pool_) pool_->join();
    }
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    // Runs `work` on one of the lane's threads; the awaiting coroutine resumes on its own executor. It cannot
    // be interrupted: canceling takes effect once it has returned. `work` must not throw.
    template <class Work>
    Task<std::invoke_result_t<Work&>> run(Work work) {
        if constexpr (std::is_void_v<std::invoke_result_t<Work&>>) {
            co_await run_stoppable([&work](const std::atomic<bool>&) {
                work();
                return true;
            });
        } else {
            co_return co_await run_stoppable([&work](const std::atomic<bool>&) { return work(); });
        }
    }

    // As run(), for work that takes long: `work(stop)` finds `stop` true once the coroutine was canceled, and
    // should return soon then.
    template <class Work>
    Task<std::invoke_result_t<Work&, const std::atomic<bool>&>> run_stoppable(Work work) {
        using Value = std::invoke_result_t<Work&, const std::atomic<bool>&>;
        const Executor home = co_await current_executor();
        // Outlived by nothing: this frame waits for the handler, and the handler writes before it posts.
        std::optional<Value> value;
        std::atomic<bool> stop = false;
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<Executor>&, void()>(
            [this, &home, &value, &work, &stop](auto handler) {
                auto slot = boost::asio::get_associated_cancellation_slot(handler);
                if (slot.is_connected())
                    slot.assign([&stop](boost::asio::cancellation_type) { stop = true; });
                auto run = [&value, &work, &stop] { value.emplace(work(stop)); };
                auto resume = [handler = std::move(handler),
                               guard = boost::asio::make_work_guard(home)]() mutable {
                    boost::asio::post(guard.get_executor(),
                                      [handler = std::move(handler)]() mutable { std::move(handler)(); });
                };
                if (stage_ != nullptr) return stage_->put(std::move(run), std::move(resume));
                boost::asio::post(*pool_, [run, resume = std::move(resume)]() mutable noexcept {
                    run();
                    resume();
                });
            },
            use_task);
        co_return std::move(*value);
    }

private:
    Stage* stage_ = nullptr;
    std::optional<boost::asio::thread_pool> pool_;  // without a stage
};

// An object that blocks, reached through a lane: `co_await store_([&](Store& s) { return s.find(id); })`.
// References captured by the function are safe: the caller's frame waits.
template <class T>
class Blocking {
public:
    Blocking(T& object, Lane& lane) : object_(&object), lane_(&lane) {}

    template <class Work>
    Task<std::invoke_result_t<Work&, T&>> operator()(Work work) const {
        T* const object = object_;
        co_return co_await lane_->run([object, &work] { return work(*object); });
    }

    // Without a lane, for calls whose contract says that they never block.
    T& now() const { return *object_; }

private:
    T* object_;
    Lane* lane_;
};

}  // namespace sheaf::async
