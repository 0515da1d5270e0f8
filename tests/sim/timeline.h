#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "base/clock.h"
#include "base/steady_clock.h"

namespace sheaf::sim {

using namespace std::chrono_literals;
using Time = SteadyClock::time_point;

// Chance, all of it from one seed.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}
    // From `low` to `high`, both included.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) {
        return low + engine_() % (high - low + 1);
    }
    bool happens(double probability) {
        return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < probability;
    }
    template <class T>
    const T& one_of(const std::vector<T>& choices) {
        return choices[between(0, choices.size() - 1)];
    }
    // Mostly about `typical`, sometimes ten times as long.
    std::chrono::microseconds time_about(std::chrono::microseconds typical) {
        const auto whole = static_cast<std::uint64_t>(typical.count());
        const std::uint64_t longest = happens(0.05) ? whole * 10 : whole * 2;
        return std::chrono::microseconds(between(whole / 4, std::max(whole / 4, longest)));
    }
    std::uint64_t seed() { return engine_(); }

private:
    std::mt19937_64 engine_;
};

// The time of one life. It passes only by step(): from one thing that is to happen to the next.
class Timeline final : public SteadyClock::Owner {
public:
    Timeline();
    ~Timeline() override;

    Time now() const noexcept override { return now_; }
    void announce(Time at) override { alarms_.insert(at); }
    // Events of one time happen in the order in which they were put.
    void at(Time when, std::move_only_function<void()> what);
    void after(std::chrono::microseconds delay, std::move_only_function<void()> what) {
        at(now_ + delay, std::move(what));
    }
    // Goes on to what is next, if that is no later than `limit`, and lets it happen; else to `limit`, and
    // returns false.
    bool step(Time limit);

private:
    Time now_{std::chrono::hours{1'000}};
    std::set<Time> alarms_;  // when timers may have run out
    std::multimap<Time, std::move_only_function<void()>> events_;
};

// A node's clock on the wall: the time of the life, and what it is wrong by.
class WallClock final : public Clock {
public:
    explicit WallClock(const Timeline& timeline) : timeline_(&timeline) {}
    Timestamp now() const override {
        return kBeginning +
               std::chrono::floor<std::chrono::milliseconds>(timeline_->now().time_since_epoch()) + error_;
    }
    void jump(std::chrono::milliseconds by) { error_ += by; }
    std::chrono::milliseconds error() const { return error_; }

private:
    static constexpr Timestamp kBeginning{std::chrono::milliseconds{1'781'776'800'000}};
    const Timeline* timeline_;
    std::chrono::milliseconds error_{0};
};

}  // namespace sheaf::sim
