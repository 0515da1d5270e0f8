#pragma once

#include <functional>
#include <span>
#include <vector>

#include "async/blocking.h"
#include "async/task_group.h"
#include "async/timer.h"
#include "store/item_queue.h"

namespace sheaf::scheduler {

// Writes results down in groups: the first at once, the others while the one before is being synced and for a
// few milliseconds, so a slow disk or a fast model makes larger groups and not a longer queue. Belongs to the
// scheduler's executor.
//
// A result that cannot be written (the disk is full) is kept and tried again until it can.
class Finisher {
public:
    // What became durable, and the batches that it ended.
    using OnWritten =
        std::function<void(std::span<const store::ItemResult>, std::span<const core::Batch> ended)>;
    Finisher(async::Executor executor, async::Blocking<store::ItemQueue> queue, OnWritten on_written);

    // Waits while too much is unwritten already; the result is durable some time after it returns.
    async::Task<void> push(store::ItemResult result);
    // Writes until it is canceled.
    async::Task<void> run();
    // Returns when nothing is left to write, or when the store has refused for good.
    async::Task<void> flush();

private:
    async::Task<void> write_group();

    async::Blocking<store::ItemQueue> queue_;
    OnWritten on_written_;
    async::Bell arrived_;
    async::Bell written_;
    std::vector<store::ItemResult> pending_;
    bool writing_ = false;
    bool refused_ = false;
};

}  // namespace sheaf::scheduler
