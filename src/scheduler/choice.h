#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "core/batch.h"

namespace sheaf::scheduler {

// A batch that has something to lease.
struct Candidate {
    BatchId batch;
    AccountId account;
    std::uint32_t waiting = 0;  // items that could be leased
    std::uint32_t running = 0;  // items of it that hold a slot now
    // Of a batch that is short of time: what will be left of it when its work is done.
    std::optional<std::chrono::milliseconds> slack = std::nullopt;
};

// What will be left of the time of a batch when its `unfinished` items have run, while the model ends
// `per_second` of all batches together; nullopt while that is more than a quarter of the time it was given.
std::optional<std::chrono::milliseconds> slack_when_short(const core::Batch& batch, std::size_t unfinished,
                                                          double per_second, Timestamp now);

struct Share {
    BatchId batch;
    std::uint32_t count = 0;
    bool operator==(const Share&) const = default;
};

// Deals `slots` out one by one: to the account that holds the fewest, and within it to the batch that is
// shortest of time, else to the one that holds the fewest, the older on a tie. So a batch of one is not kept
// waiting by a batch of a thousand, nor an account by another's batches. Shares are never empty and never
// larger than what waits.
std::vector<Share> share_slots(std::span<const Candidate> candidates, std::uint32_t slots);

}  // namespace sheaf::scheduler
