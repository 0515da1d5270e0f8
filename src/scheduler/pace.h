#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sheaf::scheduler {

// How fast a model's items end, over about the last tenth of a second in which some did. `now` never goes
// backwards.
class Pace {
public:
    using Time = std::chrono::steady_clock::time_point;

    void count(Time now) {
        ++counted_;
        const auto elapsed = now - since_;
        if (elapsed < kWindow) return;
        // After a pause the pace is that of the pause.
        per_second_ = counted_ / std::chrono::duration<double>(elapsed).count();
        counted_ = 0;
        since_ = now;
    }
    double per_second() const { return per_second_; }
    // How many are likely to end within `time`.
    std::uint32_t within(std::chrono::milliseconds time) const {
        return static_cast<std::uint32_t>(
            std::min(1e9, per_second_ * std::chrono::duration<double>(time).count()));
    }

private:
    static constexpr std::chrono::milliseconds kWindow{100};
    std::uint32_t counted_ = 0;
    double per_second_ = 0;
    Time since_;
};

}  // namespace sheaf::scheduler
