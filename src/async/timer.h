#pragma once

#include <chrono>
#include <memory>

#include "async/task.h"

namespace sheaf::async {

// Waits; throws boost::system::system_error(operation_aborted) when the coroutine is canceled.
Task<void> sleep_for(std::chrono::milliseconds time);

// A bell: whoever waits is woken by the next ring, and one ring before the wait is remembered.
//
// Belongs to one executor. Rings from other threads go through `ring_from_any_thread`.
class Bell {
public:
    explicit Bell(Executor executor);
    ~Bell();
    void ring();
    void ring_from_any_thread();
    // Until rung, or for `at_most`; true when it was rung.
    Task<bool> wait_for(std::chrono::milliseconds at_most);
    Task<void> wait();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace sheaf::async
