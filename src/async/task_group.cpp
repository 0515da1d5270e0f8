#include "async/task_group.h"

#include <exception>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include "async/timer.h"
#include "base/check.h"
#include "base/log.h"

namespace sheaf::async {
namespace {

void check_ending(const std::exception_ptr& thrown) {
    if (!thrown) return;
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
        if (error.code() == boost::asio::error::operation_aborted) return;
        log::error("an exception escaped a coroutine", {{"what", error.what()}});
    } catch (const std::exception& error) {
        log::error("an exception escaped a coroutine", {{"what", error.what()}});
    }
    CHECK(false, "errors are values: a coroutine must not throw");
}

}  // namespace

struct TaskGroup::State {
    explicit State(Executor home) : executor(home), empty(home) {}
    Executor executor;
    Bell empty;
    std::list<boost::asio::cancellation_signal> running;
};

TaskGroup::TaskGroup(Executor executor) : state_(std::make_shared<State>(executor)) {}

TaskGroup::~TaskGroup() {
    CHECK(state_->running.empty(), "a task group is emptied before it goes");
}

void TaskGroup::spawn(Task<void> task) {
    Entry entry;
    spawn(std::move(task), entry);
}

void TaskGroup::spawn(Task<void> task, Entry& named) {
    const auto state = state_;
    const auto entry = named = state->running.emplace(state->running.end());
    boost::asio::co_spawn(
        state->executor, std::move(task),
        boost::asio::bind_cancellation_slot(entry->slot(), [state, entry](std::exception_ptr thrown) {
            check_ending(thrown);
            state->running.erase(entry);
            if (state->running.empty()) state->empty.ring();
        }));
}

void TaskGroup::stop(Entry entry) {
    entry->emit(boost::asio::cancellation_type::terminal);
}

void TaskGroup::stop() {
    // Canceling may end a task at once, which takes it out of the list.
    for (auto next = state_->running.begin(); next != state_->running.end();) {
        const auto entry = next++;
        entry->emit(boost::asio::cancellation_type::terminal);
    }
}

Task<void> TaskGroup::wait_until_empty() {
    const auto state = state_;
    while (!state->running.empty()) co_await state->empty.wait();
}

std::size_t TaskGroup::size() const {
    return state_->running.size();
}

}  // namespace sheaf::async
