#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "core/inference.h"
#include "core/item.h"
#include "scheduler/prefix_runs.h"

namespace sheaf::scheduler {

// A leased item that has no slot yet.
struct Waiting {
    core::Lease lease;
    std::optional<core::Inference> inference;  // where it had to be read to see which model it asks
};

// The leased items of one batch that wait for a slot of one model, in the order of the plan. Those whose
// run's first is under way are passed over until its gate opens.
class Lineup {
public:
    void add(Waiting item);
    // Whether there is room where the prefix has been read.
    using HasRoom = std::function<bool(std::uint64_t prefix)>;
    // The first that may start and for whose prefix there is room; the caller starts it. One that would be
    // the first of its run only if `may_lead` says so, which is asked at most once.
    std::optional<Waiting> take(const PrefixRuns& runs, PrefixRuns::Time now, const HasRoom& has_room,
                                const std::function<bool()>& may_lead);

    // All of them: it is empty then.
    std::vector<Waiting> take_all();

    // How many may start, counted up to `enough`; of those for whose prefix there is room.
    std::uint32_t count_startable(const PrefixRuns& runs, PrefixRuns::Time now, std::uint32_t enough,
                                  const HasRoom& has_room) const;
    // Calls `run` with the prefix and the size of each run whose first has started.
    void for_each_led(const PrefixRuns& runs, PrefixRuns::Time now,
                      const std::function<void(std::uint64_t prefix, std::size_t count)>& run) const;

    // When the next of those that may not start may, if nothing ends before. Time::max(): there are none.
    PrefixRuns::Time opens_at(const PrefixRuns& runs, PrefixRuns::Time now) const;

    std::size_t size() const { return size_; }
    std::size_t body_bytes() const { return body_bytes_; }

private:
    // Neighbours with the same prefix.
    struct Run {
        std::uint64_t prefix = 0;
        std::deque<Waiting> items;
    };
    std::list<Run> runs_;
    std::size_t size_ = 0;
    std::size_t body_bytes_ = 0;
};

}  // namespace sheaf::scheduler
