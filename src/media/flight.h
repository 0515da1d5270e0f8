#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "async/task.h"

namespace sheaf::media {

// One piece of blocking work that several coroutines, on any executors, may wait for.
//
// Who wants the value holds a seat. When the last seat is given up before the value is there, the work is
// told to stop, and nobody can join any more. Threads: any.
template <class T>
class Flight : public std::enable_shared_from_this<Flight<T>> {
public:
    class Seat {
    public:
        explicit Seat(std::shared_ptr<Flight> flight) : flight_(std::move(flight)) {}
        Seat(Seat&&) noexcept = default;
        Seat& operator=(Seat&&) = delete;
        ~Seat() {
            if (flight_) flight_->leave();
        }
        Flight& flight() const { return *flight_; }

    private:
        std::shared_ptr<Flight> flight_;
    };

    // Nullopt when the work was already told to stop.
    std::optional<Seat> join() {
        const std::scoped_lock lock(mutex_);
        if (stop_.stop_requested()) return std::nullopt;
        ++seats_;
        return std::optional<Seat>(std::in_place, this->shared_from_this());
    }

    // Asked by the work itself.
    std::stop_token stop_token() const { return stop_.get_token(); }

    // Ends the flight. Called once, by the work.
    void land(T value) {
        std::vector<std::shared_ptr<Waiter>> waiters;
        {
            const std::scoped_lock lock(mutex_);
            value_.emplace(std::move(value));
            waiters.swap(waiters_);
        }
        for (const auto& waiter : waiters) waiter->resume();
    }

    // The value, or nullopt when the awaiting coroutine was canceled.
    static async::Task<std::optional<T>> wait(Seat seat) {
        const async::Executor home = co_await async::current_executor();
        Flight* const flight = &seat.flight();
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<async::Executor>&, void()>(
            [flight, &home](auto handler) { flight->add_waiter(home, std::move(handler)); }, async::use_task);
        co_return flight->value();
    }

private:
    struct Waiter {
        std::move_only_function<void()> resume;
    };

    template <class Handler>
    void add_waiter(async::Executor home, Handler handler) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        auto waiter = std::make_shared<Waiter>();
        waiter->resume = [slot, handler = std::move(handler),
                          guard = boost::asio::make_work_guard(home)]() mutable {
            boost::asio::post(guard.get_executor(), [slot, handler = std::move(handler)]() mutable {
                slot.clear();
                std::move(handler)();
            });
        };
        if (slot.is_connected()) {
            slot.assign([flight = this->shared_from_this(), waiter](boost::asio::cancellation_type) {
                if (flight->remove(waiter)) waiter->resume();
            });
        }
        {
            const std::scoped_lock lock(mutex_);
            if (!value_) {
                waiters_.push_back(std::move(waiter));
                return;
            }
        }
        waiter->resume();
    }

    bool remove(const std::shared_ptr<Waiter>& waiter) {
        const std::scoped_lock lock(mutex_);
        return std::erase(waiters_, waiter) > 0;
    }

    void leave() {
        {
            const std::scoped_lock lock(mutex_);
            if (--seats_ > 0 || value_) return;
            // Under the lock, so that nobody joins what is being stopped; who listens only rings a bell.
            stop_.request_stop();
        }
    }

    std::optional<T> value() {
        const std::scoped_lock lock(mutex_);
        return value_;
    }

    std::mutex mutex_;
    std::size_t seats_ = 0;
    std::stop_source stop_;
    std::optional<T> value_;
    std::vector<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace sheaf::media
