#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "backend/refusal_ceiling.h"

namespace sheaf::backend {

struct AdmissionRules {
    std::uint32_t first = 16;   // calls under way to begin with
    std::uint32_t most = 1024;  // never more
    // Calls that wait inside a server which shows its queue: fewer, and it may run dry; more, and the last
    // comers wait for nothing. For a small server both are as small: a quarter of what it runs, and all of
    // it.
    double waiting_low = 16;
    double waiting_high = 64;
    double cache_high = 0.95;  // of its KV cache in use: beyond, it puts work back that it had begun
};

// What a model server says of itself.
struct Gauges {
    double running = 0;
    double waiting = 0;
    std::optional<double> cache_use;  // from 0 to 1
};

// How many calls may be under way at one model server, found out while it works.
//
// Three signals, and none of them alone. Refusals and time-outs set a ceiling, which rises again while
// nothing is refused. Gauges, where the server shows them, hold its queue between two marks. Where it does
// neither, the rate of good answers decides: the window doubles each round trip while that rises, and then is
// tried a little larger and a little smaller in turn; what answers more calls in a second stays. Latency by
// itself says nothing: a server that batches wants a queue.
//
// It only grows while it is in use. No I/O, no clock: `now` never goes backwards.
class AdmissionWindow {
public:
    explicit AdmissionWindow(const AdmissionRules& rules);

    std::uint32_t size() const;  // at least 1
    std::uint32_t under_way() const { return under_way_; }

    void began(SteadyTime now);
    enum class End : std::uint8_t {
        good,
        refused,    // for load: 429, 503, 529
        timed_out,  // no answer in time
        other,      // says nothing about load
    };
    void ended(End end, SteadyTime began, SteadyTime now);
    void saw(const Gauges& gauges, SteadyTime now);

private:
    enum class Phase : std::uint8_t { growing, base, trial };
    // Of the stretch of time in which the window stayed as it is.
    struct Measure {
        SteadyTime since;
        std::uint64_t good = 0;
        double area = 0;  // calls under way, by seconds
        bool is_settled = false;
        double times = 0;  // of good answers since then, summed; and each by its number
        double times_by_count = 0;
        void add(double time);
        // Good answers in a second: the slope of the line through them, which answers that come in bunches
        // disturb less than they do a count.
        double rate() const;
    };

    double limit() const;
    bool shows_gauges(SteadyTime now) const;
    bool is_in_use() const;
    void advance(SteadyTime now);
    void start_measure(SteadyTime now);
    void note_latency(double seconds);
    RefusalCeiling::Call call(SteadyTime began, SteadyTime now) const;
    void note_good(SteadyTime began, SteadyTime now);
    void start_growing(double window, SteadyTime now);
    void grow_round(SteadyTime now);
    void stop_growing(SteadyTime now);
    void climb(SteadyTime now);
    bool has_collapsed(SteadyTime now) const;
    void judge_base(double rate, SteadyTime now);
    void judge_trial(double rate, SteadyTime now);
    void reject_trial(SteadyTime now);
    void start_base(SteadyTime now);
    void start_trial(SteadyTime now);
    double step_for(double rate) const;
    void move_to(double window, SteadyTime now);
    double noise_of(std::uint64_t calls) const;

    AdmissionRules rules_;
    std::uint32_t under_way_ = 0;
    std::uint32_t peak_ = 0;  // of that, since the measurement began; and in the one before
    std::uint32_t last_peak_ = 0;
    SteadyTime advanced_at_;
    double latency_ = 0;  // of good calls, in seconds: a running mean, and its spread
    double latency_square_ = 0;

    Phase phase_ = Phase::growing;
    double window_;
    double trial_ = 0;
    Measure measure_;

    // Growing.
    double last_rate_ = 0;
    double best_rate_ = 0;
    double best_window_ = 0;
    double round_window_;
    double least_latency_ = 0;
    int strikes_ = 0;

    // Climbing.
    double step_ = 0;  // the logarithm of the ratio of a trial
    bool is_upward_ = true;
    double rest_s_ = 0;
    bool has_halved_ = false;  // for a collapse, since the base was measured
    double base_rate_ = 0;
    std::uint64_t base_calls_ = 0;

    RefusalCeiling ceiling_;

    // Gauges.
    std::optional<SteadyTime> gauged_at_;
    bool has_queue_ = false;
    bool is_flat_ = false;  // more calls bring no more answers, though it shows no queue
};

}  // namespace sheaf::backend
