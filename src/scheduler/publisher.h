#pragma once

#include "async/blocking.h"
#include "async/timer.h"
#include "scheduler/dispatcher.h"
#include "store/batches.h"

namespace sheaf::scheduler {

// Lays out the results of ended batches as files of their own. Belongs to the scheduler's executor.
class Publisher {
public:
    Publisher(async::Executor executor, async::Blocking<store::Batches> batches, Codecs codecs);

    // A batch has ended.
    void wake() { bell_.ring(); }
    // Publishes what there is, then waits for more, until it is canceled.
    async::Task<void> run();

private:
    async::Task<void> publish(core::Batch batch);

    async::Blocking<store::Batches> batches_;
    Codecs codecs_;
    async::Bell bell_;
};

}  // namespace sheaf::scheduler
