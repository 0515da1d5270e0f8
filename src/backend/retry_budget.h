#pragma once

#include <algorithm>
#include <chrono>

namespace sheaf::backend {

// How many calls may be repeated: a fifth of those that were not repeats, and one a second whatever they
// were, so that the last items of a batch end too. What is not used is kept for a burst of kMost. No I/O, no
// clock.
class RetryBudget {
public:
    using Time = std::chrono::steady_clock::time_point;

    void deposit() { tokens_ = std::min(tokens_ + kShare, kMost); }
    // False: not before next().
    bool take(Time now) {
        refill(now);
        if (tokens_ < 1) return false;
        tokens_ -= 1;
        return true;
    }
    // When there will be one, if nothing is deposited before.
    Time next(Time now) {
        refill(now);
        const std::chrono::duration<double> missing(std::max(1 - tokens_, 0.0) / kPerSecond);
        return now + std::chrono::ceil<std::chrono::milliseconds>(missing);
    }

private:
    static constexpr double kShare = 0.2;
    static constexpr double kPerSecond = 1;
    static constexpr double kMost = 50;

    void refill(Time now) {
        if (filled_at_ != Time{})
            tokens_ = std::min(tokens_ + kPerSecond * std::chrono::duration<double>(now - filled_at_).count(),
                               kMost);
        filled_at_ = now;
    }

    double tokens_ = kMost;
    Time filled_at_;
};

}  // namespace sheaf::backend
