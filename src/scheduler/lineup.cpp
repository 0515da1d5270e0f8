#include "scheduler/lineup.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sheaf::scheduler {

void Lineup::add(Waiting item) {
    ++size_;
    body_bytes_ += item.lease.body.size();
    const std::uint64_t prefix = item.lease.prefix;
    if (runs_.empty() || runs_.back().prefix != prefix) runs_.push_back({.prefix = prefix, .items = {}});
    runs_.back().items.push_back(std::move(item));
}

std::optional<Waiting> Lineup::take(const PrefixRuns& runs, PrefixRuns::Time now, const HasRoom& has_room,
                                    const std::function<bool()>& may_lead) {
    std::optional<bool> leads;
    for (auto run = runs_.begin(); run != runs_.end(); ++run) {
        const auto gate = runs.gate(run->prefix, now);
        if (gate == PrefixRuns::Gate::closed || !has_room(run->prefix)) continue;
        if (gate == PrefixRuns::Gate::leader && !leads) leads = may_lead();
        if (gate == PrefixRuns::Gate::leader && !*leads) continue;
        Waiting item = std::move(run->items.front());
        run->items.pop_front();
        if (run->items.empty()) runs_.erase(run);
        --size_;
        body_bytes_ -= item.lease.body.size();
        return item;
    }
    return std::nullopt;
}

std::vector<Waiting> Lineup::take_all() {
    std::vector<Waiting> all;
    all.reserve(size_);
    for (Run& run : runs_) std::ranges::move(run.items, std::back_inserter(all));
    *this = {};
    return all;
}

void Lineup::for_each_led(const PrefixRuns& runs, PrefixRuns::Time now,
                          const std::function<void(std::uint64_t, std::size_t)>& run) const {
    for (const Run& each : runs_) {
        if (each.prefix != 0 && runs.gate(each.prefix, now) != PrefixRuns::Gate::leader)
            run(each.prefix, each.items.size());
    }
}

std::uint32_t Lineup::count_startable(const PrefixRuns& runs, PrefixRuns::Time now, std::uint32_t enough,
                                      const HasRoom& has_room) const {
    std::size_t count = 0;
    for (const Run& run : runs_) {
        if (count >= enough) break;
        const auto gate = runs.gate(run.prefix, now);
        if (gate == PrefixRuns::Gate::closed || !has_room(run.prefix)) continue;
        count += gate == PrefixRuns::Gate::leader ? 1 : run.items.size();
    }
    return static_cast<std::uint32_t>(std::min<std::size_t>(count, enough));
}

PrefixRuns::Time Lineup::opens_at(const PrefixRuns& runs, PrefixRuns::Time now) const {
    auto first = PrefixRuns::Time::max();
    for (const Run& run : runs_) {
        if (runs.gate(run.prefix, now) == PrefixRuns::Gate::closed)
            first = std::min(first, runs.opens_at(run.prefix));
    }
    return first;
}

}  // namespace sheaf::scheduler
