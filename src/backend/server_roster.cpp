#include "backend/server_roster.h"

#include <algorithm>
#include <tuple>

namespace sheaf::backend {

std::size_t ServerRoster::choose(SteadyTime now, std::uint64_t prefix) {
    const auto home = home_of(prefix, now);
    const std::size_t server = home ? *home : least_loaded(now);
    if (prefix != 0 && !home) set_home(prefix, server);
    ++entries_[server].calls;
    return server;
}

std::size_t ServerRoster::least_loaded(SteadyTime now) {
    const auto rank = [&](const Entry& entry) {
        using Rank = std::tuple<int, SteadyTime, double>;
        const double load = static_cast<double>(entry.calls) / std::max(entry.size, 1U);
        if (entry.is_ejected) return Rank{2, entry.broke_at, load};
        if (entry.rests_until > now) return Rank{1, entry.rests_until, load};
        return Rank{0, SteadyTime{}, load};
    };
    std::size_t best = next_;
    for (std::size_t i = 1; i < entries_.size(); ++i) {
        const std::size_t server = (next_ + i) % entries_.size();
        if (rank(entries_[server]) < rank(entries_[best])) best = server;
    }
    next_ = (best + 1) % entries_.size();
    return best;
}

bool ServerRoster::takes_work(std::size_t server, SteadyTime now) const {
    return !entries_[server].is_ejected && entries_[server].rests_until <= now;
}

std::optional<std::size_t> ServerRoster::home_of(std::uint64_t prefix, SteadyTime now) const {
    const std::size_t* const home = homes_.find(prefix);
    if (home == nullptr || !takes_work(*home, now)) return std::nullopt;
    return *home;
}

bool ServerRoster::are_all_ejected() const {
    return std::ranges::all_of(entries_, &Entry::is_ejected);
}

void ServerRoster::leave(std::size_t server) {
    --entries_[server].calls;
}

ServerRoster::Change ServerRoster::answered(std::size_t server, SteadyTime now) {
    Entry& entry = entries_[server];
    entry.broken = 0;
    entry.heard_at = now;
    if (!entry.is_ejected) return Change::none;
    entry.is_ejected = false;
    entry.returned_at = now;
    return Change::returned;
}

ServerRoster::Change ServerRoster::broke(std::size_t server, SteadyTime now) {
    Entry& entry = entries_[server];
    ++entry.broken;
    entry.heard_at = entry.broke_at = now;
    if (!entry.is_ejected && entry.broken < rules_.broken_max) return Change::none;
    const bool was_ejected = entry.is_ejected;
    // What breaks while it is out, because nobody else was left, does not make it longer.
    if (!was_ejected || now >= entry.out_until) eject(entry, now);
    return was_ejected ? Change::none : Change::ejected;
}

void ServerRoster::eject(Entry& entry, SteadyTime now) {
    const bool begins_anew =
        entry.out_for.count() == 0 || (!entry.is_ejected && now - entry.returned_at > entry.out_for);
    entry.out_for = begins_anew ? rules_.first_time : std::min(entry.out_for * 2, rules_.time_max);
    entry.out_until = now + entry.out_for;
    entry.is_ejected = true;
}

void ServerRoster::rest(std::size_t server, SteadyTime until) {
    entries_[server].rests_until = until;
}

SteadyTime ServerRoster::free_at(SteadyTime now) const {
    auto earliest = SteadyTime::max();
    for (const Entry& entry : entries_)
        if (!entry.is_ejected) earliest = std::min(earliest, std::max(entry.rests_until, now));
    return earliest == SteadyTime::max() ? now : earliest;
}

SteadyTime ServerRoster::probe_due(std::size_t server) const {
    const Entry& entry = entries_[server];
    return entry.is_ejected ? entry.out_until : entry.heard_at + rules_.probe_every;
}

}  // namespace sheaf::backend
