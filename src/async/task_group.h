#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include "async/task.h"

namespace sheaf::async {

// Owns coroutines: it can stop them and wait for them, so that none outlives what it uses.
//
// Belongs to one executor; built, used and destroyed there (or while that executor does not run). Must be
// empty when it is destroyed; a task that is destroyed with its io_context has left.
class TaskGroup {
public:
    explicit TaskGroup(Executor executor);
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    // Starts `task` soon. A canceled task ends quietly; any other exception that escapes it is a bug.
    void spawn(Task<void> task);
    // The same; `entry` is set before the task starts and names it until its coroutine has ended.
    using Entry = std::list<boost::asio::cancellation_signal>::iterator;
    void spawn(Task<void> task, Entry& entry);
    // Cancels this one.
    static void stop(Entry entry);
    // Cancels all that run. Those spawned later are not affected.
    void stop();
    Task<void> wait_until_empty();
    std::size_t size() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace sheaf::async
