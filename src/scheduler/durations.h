#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace sheaf::scheduler {

// How long a model's good answers took of late.
class Durations {
public:
    using Duration = std::chrono::steady_clock::duration;

    void add(Duration duration) {
        latest_[count_ % latest_.size()] = duration;
        ++count_;
    }
    // What all but one in twenty stayed below; nullopt while too few are known.
    std::optional<Duration> usual_most() const {
        const std::size_t known = std::min(count_, latest_.size());
        if (known < kKnownMin) return std::nullopt;
        auto sorted = latest_;
        const auto most = sorted.begin() + static_cast<std::ptrdiff_t>(known * 19 / 20);
        std::nth_element(sorted.begin(), most, sorted.begin() + static_cast<std::ptrdiff_t>(known));
        return *most;
    }

private:
    static constexpr std::size_t kKnownMin = 20;
    std::array<Duration, 256> latest_{};
    std::size_t count_ = 0;
};

}  // namespace sheaf::scheduler
