#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/result.h"
#include "core/batch.h"
#include "core/item.h"

namespace sheaf::store {

struct ClaimRequest {
    BatchId batch;
    std::uint32_t count_max = 1;
    std::uint64_t body_bytes_max = std::uint64_t{64} << 20;  // stops early, but always claims one
    Timestamp now;
    std::chrono::milliseconds lease_for{60'000};
};

struct ItemResult {
    ItemId item;
    std::uint32_t epoch = 0;  // of the lease it was run under
    // succeeded, failed, or canceled: its batch is being canceled, and nobody will give it a result.
    core::ItemState state;
    std::string line;  // as the dialect rendered it, ended by '\n'; of a canceled item none
    core::Usage usage;
    Timestamp finished_at;
};

inline void check_state(const ItemResult& result) {
    CHECK(core::has_result(result.state) || result.state == core::ItemState::canceled,
          "an item ends with a result, or as canceled");
}

// Only of a batch that is being canceled an item ends without a result.
inline bool may_end(const core::Batch& batch, const ItemResult& result) {
    return core::has_result(result.state) || batch.state == core::BatchState::canceling;
}

enum class Recorded : std::uint8_t {
    yes,         // this is the item's result now, for good
    lease_lost,  // someone else holds or ended the item, or it may not end so: nothing was written
};

struct FinishReport {
    std::vector<Recorded> recorded;  // one per result, in order
    std::vector<core::Batch> ended;  // batches that these results drained
};

// The durable queue of items.
//
// Every method is one transaction: it happens whole, or not at all. Methods block, may be called from any
// thread, and report failures as Batches does. A lease that a dead process held ends when the store is opened
// again (embedded) or when its time is over; its item stays `running` for those who look, and is claimed
// first. A claim alone need not survive a power cut: nobody is left then who holds it, and the item is simply
// claimed again.
class ItemQueue {
public:
    virtual ~ItemQueue() = default;

    // Leases up to `count_max` items of one batch: those whose lease has ended first, then queued ones in
    // the order of the plan. No item is held by two live leases. The first lease of a batch starts it.
    // Nothing is claimed of a batch that is canceling but items whose lease has ended. Damaged bodies are
    // left out: the item is failed by the store's caller through `damaged`.
    struct Claimed {
        std::vector<core::Lease> leases;
        std::vector<core::Lease> damaged;  // leased too, but the stored body does not match its checksum
    };
    virtual Result<Claimed> claim(const ClaimRequest& request) = 0;

    // Prolongs leases that are still held; those that are not are left out of the answer.
    virtual Result<std::vector<ItemId>> renew(std::span<const core::Lease> leases, Timestamp until) = 0;

    // Gives leases back unused: the items stay `running` to those who look and are claimed first next time.
    // The attempt is not counted.
    virtual Result<> release(std::span<const core::Lease> leases) = 0;

    // Records a group of results with one sync. A result whose lease was lost writes nothing.
    virtual Result<FinishReport> finish(std::span<const ItemResult> results) = 0;
};

}  // namespace sheaf::store
