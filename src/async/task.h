#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
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

// Runs `task` on another executor and resumes here with what it returned. Canceling the awaiting coroutine
// cancels it.
template <class T>
Task<T> on(Executor executor, Task<T> task) {
    if constexpr (std::is_void_v<T>) {
        co_await boost::asio::co_spawn(executor, std::move(task), use_task);
    } else {
        co_return co_await boost::asio::co_spawn(executor, std::move(task), use_task);
    }
}

}  // namespace sheaf::async
