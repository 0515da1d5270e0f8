#include "async/task_group.h"

#include <exception>
#include <new>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include "async/timer.h"
#include "base/check.h"
#include "base/log.h"
#include "base/out_of_memory.h"

namespace sheaf::async {
namespace {

void check_ending(const std::exception_ptr& thrown) {
    if (!thrown) return;
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
        if (error.code() == boost::asio::error::operation_aborted) return;
        log::error("an exception escaped a coroutine", {{"what", error.what()}});
    } catch (const std::bad_alloc&) {
        end_for_want_of_memory();
    } catch (const std::exception& error) {
        log::error("an exception escaped a coroutine", {{"what", error.what()}});
    }
    CHECK(false, "errors are values: a coroutine must not throw");
}

}  // namespace

struct TaskGroup::State {
    explicit State(Executor home) : executor(home), empty(home) {}

    // A task's in the list, until it has ended or was dropped with its executor.
    class Place {
    public:
        Place(std::shared_ptr<State> state, Entry entry) : state_(std::move(state)), entry_(entry) {}
        Place(Place&& other) noexcept : state_(std::move(other.state_)), entry_(other.entry_) {}
        ~Place() {
            if (state_) state_->running.erase(entry_);
        }
        void leave() {
            const auto state = std::exchange(state_, nullptr);
            state->running.erase(entry_);
            if (state->running.empty()) state->empty.ring();
        }

    private:
        std::shared_ptr<State> state_;
        Entry entry_;
    };

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
    const auto entry = named = state_->running.emplace(state_->running.end());
    boost::asio::co_spawn(
        state_->executor, std::move(task),
        boost::asio::bind_cancellation_slot(
            entry->slot(), [place = State::Place(state_, entry)](std::exception_ptr thrown) mutable {
                check_ending(thrown);
                place.leave();
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
