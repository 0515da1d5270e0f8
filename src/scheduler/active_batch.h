#pragma once

#include <map>
#include <string>

#include "async/task_group.h"
#include "core/batch.h"
#include "scheduler/lineup.h"

namespace sheaf::scheduler {

// An unfinished batch. Stays until its last flight has landed and its last claim has come back.
struct ActiveBatch {
    ActiveBatch(core::Batch head, bool finishes_what_runs, async::Executor executor)
        : batch(std::move(head)), finishes_running(finishes_what_runs), flights(executor) {}

    core::Batch batch;
    const bool finishes_running;  // though it is canceled (core::ItemCodec)
    async::TaskGroup flights;
    std::uint32_t claimable = 0;  // items that a claim may get, as far as is known
    bool is_claiming = false;
    bool ended = false;
    std::uint32_t extra_runs = 0;                 // of stragglers, so far
    std::map<std::uint32_t, core::Lease> leases;  // by ordinal: what a crash would leave to the next start
    // Leased items without a slot, by model.
    std::map<std::string, Lineup, std::less<>> lineups;

    // It is being canceled: what no model server is working on ends, and nothing is asked for once more.
    bool is_called_off() const { return batch.state == core::BatchState::canceling && !finishes_running; }
    // Each item names its own model.
    bool is_mixed() const { return batch.model.empty(); }
    std::size_t waiting() const {
        std::size_t sum = 0;
        for (const auto& [model, lineup] : lineups) sum += lineup.size();
        return sum;
    }
    std::size_t waiting_bytes() const {
        std::size_t sum = 0;
        for (const auto& [model, lineup] : lineups) sum += lineup.body_bytes();
        return sum;
    }
    // Items that hold a slot, or whose result is not durable yet.
    std::uint32_t flying() const {
        const std::size_t count = waiting();
        return static_cast<std::uint32_t>(leases.size() - std::min(count, leases.size()));
    }
};

using ActiveBatches = std::map<BatchId, ActiveBatch>;

}  // namespace sheaf::scheduler
