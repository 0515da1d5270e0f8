#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "kv_cache.h"

namespace model_server {

using Micros = std::int64_t;  // of the monotonic clock

// What may change while it runs.
struct Limits {
    std::uint32_t slots = 0;      // requests in service at once; the rest wait in order. 0: any number
    std::uint32_t queue_max = 0;  // waiting requests beyond which one is refused; 0: never
    // Beyond so many in service the engine as a whole gets slower: the sum of all speeds, in requests' worth
    // of one alone, is knee / (1 + ((n - knee) / knee)^2). 0: it never does.
    std::uint32_t knee = 0;
    bool held = false;  // nothing is started
};

struct Work {
    std::uint32_t prompt_tokens = 0;
    std::vector<std::uint64_t> blocks;  // of the prompt; see block_chain
    Micros decode = 0;                  // after the prefill, at full speed
    bool hangs = false;                 // holds its slot until it is canceled
};

struct Served {
    std::uint64_t id = 0;
    Micros arrived = 0;
    Micros started = 0;
    Micros ended = 0;
    std::uint32_t prompt_tokens = 0;
    std::uint32_t cached_tokens = 0;
};

// How long a model server takes: slots, a queue, prefill shortened by what is cached, slowing down when too
// much runs at once. Knows no sockets and no clock; time is an argument and never goes back.
//
// All that run do so at one speed, so a virtual clock that advances at that speed tells when each ends.
class Engine {
public:
    struct Options {
        Limits limits;
        std::uint64_t kv_tokens = 0;
        double prefill_tokens_per_s = 0;  // 0: prefill takes no time
    };
    explicit Engine(const Options& options);

    // False: refused, the queue is full.
    bool submit(std::uint64_t id, Work work, Micros now);
    // The one who asked is gone; what ran of it is lost. An unknown id is ignored.
    void cancel(std::uint64_t id, Micros now);
    void set_limits(const Limits& limits, Micros now);

    // Those that end now, in order. One that was due earlier has held its slot until now: whoever looks late
    // answers late.
    std::vector<Served> advance(Micros now);
    // When advance() is due, if anything will end by itself.
    std::optional<Micros> next_end() const;

    struct Totals {
        std::uint32_t running_max = 0;
        std::uint32_t waiting_max = 0;
        Micros busy = 0;  // of all slots together
        std::uint64_t prompt_tokens = 0;
        std::uint64_t cached_tokens = 0;
        std::uint64_t prefill_tokens = 0;     // computed, for requests that were canceled too
        std::uint64_t uncachable_tokens = 0;  // behind the last whole block of each prompt
    };
    const Totals& totals() const { return totals_; }
    void reset_totals() { totals_ = {.running_max = running(), .waiting_max = waiting()}; }
    std::uint32_t running() const { return running_; }
    std::uint32_t waiting() const { return static_cast<std::uint32_t>(jobs_.size()) - running_; }
    const Limits& limits() const { return limits_; }
    const KvCache& cache() const { return cache_; }

private:
    struct Job {
        Work work;
        Served served;
        bool is_running = false;
    };
    struct Event {
        double at = 0;  // of the virtual clock
        std::uint64_t id = 0;
        bool ends = false;  // else its prefill is done
        bool operator>(const Event& other) const {
            return at != other.at ? at > other.at : ends && !other.ends;
        }
    };

    double speed() const;
    void move_clock(Micros now);
    void start_waiting();
    void start(Job& job);

    Limits limits_;
    KvCache cache_;
    double prefill_micros_per_token_;
    Totals totals_;
    Micros now_ = 0;
    double virtual_now_ = 0;  // in microseconds of a request's own work
    std::uint32_t running_ = 0;
    std::unordered_map<std::uint64_t, Job> jobs_;
    std::deque<std::uint64_t> queue_;  // canceled ones are still in it, and in events_
    mutable std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

}  // namespace model_server
