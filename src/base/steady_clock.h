#pragma once

#include <chrono>

namespace sheaf {

// Time that only goes forward: for durations and deadlines. The machine's, unless a simulation owns it.
// Threads: any.
class SteadyClock {
public:
    using duration = std::chrono::steady_clock::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr bool is_steady = true;

    static time_point now() noexcept;
    // Somebody is about to wait until then: the owner of time must come by.
    static void announce(time_point at);

    class Owner {
    public:
        virtual ~Owner() = default;
        virtual time_point now() const noexcept = 0;
        virtual void announce(time_point at) = 0;
    };
    // nullptr: time is the machine's again. While no other thread runs.
    static void give_to(Owner* owner);

private:
    static Owner* owner_;
};

}  // namespace sheaf
