#pragma once

#include <chrono>
#include <cstdint>

#include "base/recent_map.h"

namespace sheaf::scheduler {

// Which shared beginnings (core::Planned::prefix) a model's servers have read, as far as we know.
//
// The first item of a run goes alone, or each of its neighbours would have the same text read anew; they
// follow when it has ended, or when its prompt must have been read by then. Without a prefix all may start.
// No I/O, no clock: `now` never goes backwards.
class PrefixRuns {
public:
    using Time = std::chrono::steady_clock::time_point;

    enum class Gate : std::uint8_t {
        leader,  // one may start
        closed,  // none may: the first is under way
        open,    // all may
    };
    Gate gate(std::uint64_t prefix, Time now) const;
    // When a closed gate opens by itself.
    Time opens_at(std::uint64_t prefix) const;

    // An item that begins so has started. `prompt_bytes`: of all of it.
    void started(std::uint64_t prefix, std::size_t prompt_bytes, Time now);
    // It has ended, however.
    void ended(std::uint64_t prefix);
    // It has not been read, and will not be: another may lead, unless one has ended.
    void given_up(std::uint64_t prefix);

private:
    struct Run {
        enum class State : std::uint8_t { begun, read, given_up } state = State::begun;
        Time opens_at;
    };
    // Servers forget, too; a run that was forgotten has one item alone again, no more.
    RecentMap<std::uint64_t, Run> runs_{4096};
};

}  // namespace sheaf::scheduler
