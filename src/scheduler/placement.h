#pragma once

#include <cstdint>
#include <vector>

#include "scheduler/active_batch.h"
#include "scheduler/models.h"

namespace sheaf::scheduler {

// On which of a model's servers its runs of one beginning go: each stays on the server that its first went
// to, its home. Looks at the model and the batches as they are at each call, which outlive it.
class Placement {
public:
    // `slots`: how many batch items of the model may run at once.
    Placement(const Model& model, const ActiveBatches& batches, std::uint32_t slots, PrefixRuns::Time now)
        : model_(&model), batches_(&batches), slots_(slots), now_(now) {}

    // A server takes a little more than its even share of what runs, so that runs stay together.
    bool has_room(std::uint64_t prefix) const;
    // Servers forget what they read long ago, so no more runs are begun than it takes to keep each server's
    // share of the slots busy while the next run's first is read.
    bool needs_runs() const;
    // The server with the least to do.
    std::size_t neediest() const;

private:
    // By server: items under way whose prefix has its home there, and those that wait to follow them.
    std::vector<std::size_t> work() const;

    const Model* model_;
    const ActiveBatches* batches_;
    std::uint32_t slots_;
    PrefixRuns::Time now_;
};

}  // namespace sheaf::scheduler
