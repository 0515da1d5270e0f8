#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/recent_map.h"

namespace sheaf::backend {

using SteadyTime = std::chrono::steady_clock::time_point;

struct EjectionRules {
    std::uint32_t broken_max = 3;                 // broken attempts in a row that eject a server
    std::chrono::milliseconds first_time{5'000};  // for so long, twice as long each further time
    std::chrono::milliseconds time_max{300'000};
    std::chrono::milliseconds probe_every{30'000};   // a server that nothing was heard of for so long
    std::chrono::milliseconds all_out_every{1'000};  // each, while work waits because all are ejected
};

// How the servers behind one model do, by their number, and which of them to ask next.
//
// A server that keeps breaking is ejected: it gets no work until it has answered again, which is asked when
// its time is over. One that was out for less time than it has been back begins anew with the first time. No
// I/O, no clock: `now` never goes backwards.
class ServerRoster {
public:
    ServerRoster(std::size_t count, const EjectionRules& rules) : rules_(rules), entries_(count) {}

    // The server for the next call, counted as under way until leave(). The one with the fewest calls for its
    // size, in turn where several have as few; those that asked for rest come after, and last the ejected,
    // the one that broke longest ago first: somebody is always asked. A call whose prompt begins with
    // `prefix` (core::Planned) goes to the prefix's home while that takes work; without one, the server
    // chosen becomes it.
    std::size_t choose(SteadyTime now, std::uint64_t prefix = 0);
    void leave(std::size_t server);

    enum class Change : std::uint8_t { none, ejected, returned };
    // It answered, be it with a refusal.
    Change answered(std::size_t server, SteadyTime now);
    // No connection, no answer in time, half an answer or a fault of its own.
    Change broke(std::size_t server, SteadyTime now);
    // It wants no more work until then.
    void rest(std::size_t server, SteadyTime until);

    // The server that has read the prefix, as far as we know, while it takes work.
    std::optional<std::size_t> home_of(std::uint64_t prefix, SteadyTime now) const;

    void set_home(std::uint64_t prefix, std::size_t server) { homes_.set(prefix, server); }

    // How many calls it can have under way, for choose() to compare by; all are alike at first.
    void set_size(std::size_t server, std::uint32_t size) { entries_[server].size = size; }

    // When one of them takes work, which may be now; when all are ejected, now.
    SteadyTime free_at(SteadyTime now) const;

    bool is_ejected(std::size_t server) const { return entries_[server].is_ejected; }
    bool are_all_ejected() const;
    // When it should be asked whether it answers, if nothing is heard of it before.
    SteadyTime probe_due(std::size_t server) const;

private:
    struct Entry {
        std::uint32_t calls = 0;
        std::uint32_t size = 1;
        std::uint32_t broken = 0;  // in a row
        bool is_ejected = false;
        std::chrono::milliseconds out_for{0};  // the last ejection
        SteadyTime out_until;
        SteadyTime rests_until;
        SteadyTime broke_at;
        SteadyTime returned_at;
        SteadyTime heard_at;
    };
    std::size_t least_loaded(SteadyTime now);
    bool takes_work(std::size_t server, SteadyTime now) const;
    void eject(Entry& entry, SteadyTime now);

    EjectionRules rules_;
    std::vector<Entry> entries_;
    std::size_t next_ = 0;                                 // whose turn it is
    RecentMap<std::uint64_t, std::size_t> homes_{16'384};  // servers forget, too
};

}  // namespace sheaf::backend
