#pragma once

#include <functional>

#include "async/blocking.h"
#include "base/clock.h"
#include "scheduler/dispatcher.h"
#include "store/batches.h"

namespace sheaf::scheduler {

// Ends batches whose time is up and removes those whose retention is over. Belongs to the scheduler's
// executor.
//
// Looks once a second; readers end an overdue batch themselves before they show it, so nobody sees the
// second.
class Reaper {
public:
    Reaper(async::Blocking<store::Batches> batches, Dispatcher& dispatcher, const Clock& clock)
        : batches_(batches), dispatcher_(&dispatcher), clock_(&clock) {}
    async::Task<void> run();

private:
    async::Task<void> expire(Timestamp now);
    async::Task<void> purge(Timestamp now);

    async::Blocking<store::Batches> batches_;
    Dispatcher* dispatcher_;
    const Clock* clock_;
};

}  // namespace sheaf::scheduler
