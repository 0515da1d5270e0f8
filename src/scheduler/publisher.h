#pragma once

#include <chrono>
#include <map>

#include "async/blocking.h"
#include "async/timer.h"
#include "scheduler/dispatcher.h"
#include "store/batches.h"

namespace sheaf::scheduler {

// Lays out the results of ended batches as files of their own. Belongs to the scheduler's executor.
class Publisher {
public:
    Publisher(async::Executor executor, async::Blocking<store::Batches> batches, core::Codecs codecs,
              const Clock& clock);

    // A batch has ended.
    void wake() { bell_.ring(); }
    // Publishes what there is, then waits for more, until it is canceled.
    async::Task<void> run();

private:
    // False when it could not be: it is tried again later.
    async::Task<bool> publish(core::Batch batch);
    bool is_due(const BatchId& id) const;
    void put_off(const BatchId& id);

    async::Blocking<store::Batches> batches_;
    core::Codecs codecs_;
    const Clock* clock_;
    async::Bell bell_;

    // A batch that could not be published, such as one with a damaged line, and when it is tried again.
    struct Delay {
        std::chrono::steady_clock::time_point until;
        std::chrono::seconds wait{1};
    };
    std::map<BatchId, Delay> delays_;
};

}  // namespace sheaf::scheduler
