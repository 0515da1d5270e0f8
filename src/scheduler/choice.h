#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/id.h"

namespace sheaf::scheduler {

// A batch that has something to lease.
struct Candidate {
    BatchId batch;
    AccountId account;
    std::uint32_t waiting = 0;  // items that could be leased
    std::uint32_t running = 0;  // items of it that hold a slot now
};

struct Share {
    BatchId batch;
    std::uint32_t count = 0;
    bool operator==(const Share&) const = default;
};

// Deals `slots` out one by one: to the account that holds the fewest, and within it to the batch that holds
// the fewest, the older on a tie. So a batch of one is not kept waiting by a batch of a thousand, nor an
// account by another's batches. Shares are never empty and never larger than what waits.
std::vector<Share> share_slots(std::span<const Candidate> candidates, std::uint32_t slots);

}  // namespace sheaf::scheduler
