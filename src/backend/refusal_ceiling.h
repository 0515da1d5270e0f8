#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace sheaf::backend {

using SteadyTime = std::chrono::steady_clock::time_point;

// How many calls may be under way at one model server, as its refusals and time-outs tell.
//
// It falls to what the server had taken on when it refused, at most once in a round trip, and rises again
// after so many calls without trouble that trying costs little: by 1, then by twice as much each time. Once
// it has halved it goes a little lower still and looks: when calls meet trouble there as well, though most do
// not, load is not why, and trouble says nothing for a minute. No I/O, no clock.
class RefusalCeiling {
public:
    explicit RefusalCeiling(double most) : most_(most), value_(most) {}

    double value() const { return value_; }

    enum class Trouble : std::uint8_t { refused, timed_out };
    struct Call {
        SteadyTime began;
        SteadyTime now;
        double window = 0;     // what may be under way
        double under_way = 0;  // what was, with this one; at most the window
        bool is_in_use = false;
        double latency_s = 0;  // of good calls
    };
    // What the window is to be, where it must change.
    std::optional<double> troubled(Trouble trouble, const Call& call);
    std::optional<double> went_well(const Call& call);

private:
    // Calls counted to find out what their trouble is about.
    struct Tally {
        SteadyTime from;  // of those that began then or later
        double calls = 0;
        double troubled = 0;
        void count(const Call& call, bool is_troubled);
    };
    // Below half of what the window was.
    struct Look {
        double back_to;
        Tally tally;
    };
    double fallen(Trouble trouble, const Call& call) const;
    std::optional<double> conclude(const Call& call);
    void restart_clean(SteadyTime now);

    double most_;
    double value_;
    double step_ = 1;
    std::optional<SteadyTime> fell_at_;
    SteadyTime clean_since_;
    std::uint32_t clean_calls_ = 0;
    double before_ = 0;  // the window before the trouble began; 0: there is none
    std::optional<Look> look_;
    SteadyTime heeded_from_;
    Tally unheeded_;
};

}  // namespace sheaf::backend
