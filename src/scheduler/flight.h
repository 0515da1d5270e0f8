#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include <boost/intrusive/list.hpp>

#include "async/timer.h"
#include "scheduler/active_batch.h"

namespace sheaf::scheduler {

// A run of a batch item, for as long as its coroutine lives; then it leaves its model's list.
//
// A straggler is run once more. The runs of one item know each other, and the first good answer is the
// item's.
struct Flight : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    using Time = std::chrono::steady_clock::time_point;

    // `freed` is rung when the item leaves its slot to others while it waits for its next try.
    Flight(ActiveBatch& active, Waiting waiting, async::Bell& freed)
        : batch(&active), item(std::move(waiting)), slot_freed(&freed) {}
    ~Flight() { leave(); }
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;

    // Becomes another run of the same item.
    void join(Flight& run) {
        next_ = run.next_;
        previous_ = &run;
        next_->previous_ = previous_->next_ = this;
    }
    // No try follows the one under way.
    bool is_called_off() const { return batch->is_called_off(); }
    // It would have to be asked for, first or once more.
    bool waits() const { return !asked_at && !has_ended && !is_moot; }
    bool is_only_run() const { return next_ == this; }
    std::size_t count_runs() const {
        std::size_t count = 1;
        for (const Flight* run = next_; run != this; run = run->next_) ++count;
        return count;
    }
    // When the latest of the item's tries began; nullopt while one of its runs waits for its next.
    std::optional<Time> last_asked_at() const {
        auto last = asked_at;
        for (const Flight* run = next_; run != this && last; run = run->next_)
            last = run->asked_at ? std::max(last, run->asked_at) : std::nullopt;
        return last;
    }
    // Nothing will come of this run.
    void stop() {
        leave();
        is_moot = true;
        async::TaskGroup::stop(task);
    }
    void stop_others() {
        while (!is_only_run()) next_->stop();
    }

    ActiveBatch* batch;
    Waiting item;
    async::Bell* slot_freed;
    // The try under way, from the preparing of its input on; nullopt before, and while it waits for the next.
    std::optional<Time> asked_at;
    bool is_moot = false;    // nothing will come of it
    bool has_ended = false;  // its ending is known, and on its way to the store
    async::TaskGroup::Entry task;

private:
    void leave() {
        next_->previous_ = previous_;
        previous_->next_ = next_;
        next_ = previous_ = this;
    }

    // The item's runs, in a ring.
    Flight* next_ = this;
    Flight* previous_ = this;
};

using Flights = boost::intrusive::list<Flight, boost::intrusive::constant_time_size<false>>;

}  // namespace sheaf::scheduler
