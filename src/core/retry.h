#pragma once

#include <chrono>
#include <cstdint>
#include <variant>

#include "core/outcome.h"

namespace sheaf::core {

struct RetryPolicy {
    std::uint32_t attempts_max = 6;    // broken attempts of one item, leases lost in crashes included
    std::uint32_t overloads_max = 60;  // "slow down" answers to one item; they count apart
    std::chrono::milliseconds first_wait{100};  // before the second attempt; doubled each time
    std::chrono::milliseconds wait_max{60'000};
};

struct Again {
    std::chrono::milliseconds after;
};
struct GiveUp {
    Failure failure;
};
struct Done {
    Answer answer;
};
using Decision = std::variant<Done, Again, GiveUp>;

// What to do after an attempt. `attempt` counts broken attempts and `overloads` refusals for load, both from
// 1 and this one included. `fraction` in [0, 1) is the caller's randomness: full jitter, the wait is uniform
// between nothing and the doubled bound, and never less than what the server asked for. What is given up ends
// as its last attempt did, with the server's own status and words; after too many refusals for load the code
// is "overloaded".
Decision decide(const RetryPolicy& policy, const Outcome& outcome, std::uint32_t attempt,
                std::uint32_t overloads, double fraction);

}  // namespace sheaf::core
