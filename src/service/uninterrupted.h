#pragma once

#include <utility>

#include <boost/asio/this_coro.hpp>

#include "async/task.h"

namespace sheaf::service {

// Runs steps that belong together: when the caller is canceled (its client went away), that counts after the
// last of them. `task` must not wait for anything without an end.
template <class T>
async::Task<T> uninterrupted(async::Task<T> task) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    T value = co_await std::move(task);
    co_await boost::asio::this_coro::throw_if_cancelled(true);
    co_return value;
}

}  // namespace sheaf::service
