#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "async/task.h"

namespace sheaf::http {

using Instant = std::chrono::steady_clock::time_point;

// Time-outs of many connections on one timer, to the nearest tick: setting one is a store, where a timer for
// each operation costs a quarter of the server's speed.
//
// Belongs to one executor. No timer runs while there are no entries.
class Deadlines {
public:
    static constexpr std::chrono::milliseconds kTick{50};

    // `on_tick` may be empty; it runs after the deadlines that have passed.
    Deadlines(async::Executor executor, std::function<void()> on_tick);
    ~Deadlines();
    Deadlines(const Deadlines&) = delete;
    Deadlines& operator=(const Deadlines&) = delete;

    // One deadline, set and cleared as often as needed. `passed` is called once for each setting that passes;
    // it may destroy any other entry.
    class Entry {
    public:
        Entry(Deadlines& owner, std::function<void()> passed);
        ~Entry();
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

        void set(std::chrono::steady_clock::duration from_now) {
            at_ = std::chrono::steady_clock::now() + from_now;
        }
        void clear() { at_ = Instant::max(); }

    private:
        friend class Deadlines;
        Instant at_ = Instant::max();
        std::function<void()> passed_;
        Entry* next_ = nullptr;
        Entry* previous_ = nullptr;
        std::shared_ptr<struct DeadlineState> state_;
    };

private:
    std::shared_ptr<struct DeadlineState> state_;
};

}  // namespace sheaf::http
