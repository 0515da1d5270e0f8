#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/clock.h"

// When a delivery that failed is tried again. Pure.
namespace sheaf::webhook {

struct Retries {
    // Before the second, third… attempt; the last one also before any further one.
    std::vector<std::chrono::milliseconds> waits;
    std::uint32_t attempts_max() const { return static_cast<std::uint32_t>(waits.size()) + 1; }
};

// After the attempt of number `attempt`, from 1. `fraction` in [0, 1) is the caller's randomness: it spreads
// waits by a fifth to both sides, so that what failed together does not come back together.
std::chrono::milliseconds wait_after(const Retries& retries, std::uint32_t attempt, double fraction);

}  // namespace sheaf::webhook
