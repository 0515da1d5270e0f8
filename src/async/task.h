#pragma once

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sheaf::async {

// Every executor of ours is an io_context run by one thread; naming its type saves the type erasure.
using Executor = boost::asio::io_context::executor_type;

// A coroutine. It runs only while awaited or spawned by a TaskGroup. Parameters by value, or references to
// what outlives it.
template <class T = void>
using Task = boost::asio::awaitable<T, Executor>;

inline constexpr boost::asio::use_awaitable_t<Executor> use_task{};

inline auto current_executor() {
    return boost::asio::this_coro::executor;
}

// Lets others of this executor run.
inline Task<void> yield_to_others() {
    co_await boost::asio::post(co_await current_executor(), use_task);
}

// Runs `task` on another executor and resumes here with what it returned. Canceling the awaiting coroutine
// cancels it.
template <class T>
Task<T> on(Executor executor, Task<T> task) {
    // Shared, because the task may end there while the word to cancel it is still on its way.
    auto signal = std::make_shared<boost::asio::cancellation_signal>();
    auto start = [executor, signal](auto handler, Task<T> started) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
            slot.assign([executor, signal](boost::asio::cancellation_type type) {
                boost::asio::post(executor, [signal, type] { signal->emit(type); });
            });
        }
        boost::asio::co_spawn(executor, std::move(started),
                              boost::asio::bind_cancellation_slot(signal->slot(), std::move(handler)));
    };
    using Token = const boost::asio::use_awaitable_t<Executor>&;
    if constexpr (std::is_void_v<T>) {
        co_await boost::asio::async_initiate<Token, void(std::exception_ptr)>(std::move(start), use_task,
                                                                              std::move(task));
    } else {
        co_return co_await boost::asio::async_initiate<Token, void(std::exception_ptr, T)>(
            std::move(start), use_task, std::move(task));
    }
}

}  // namespace sheaf::async
