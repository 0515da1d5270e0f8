#include "scheduler/placement.h"

#include <algorithm>
#include <cmath>

namespace sheaf::scheduler {
namespace {

constexpr double kOverShare = 1.15;
constexpr double kRunsAhead = 1.5;

}  // namespace

bool Placement::has_room(std::uint64_t prefix) const {
    const auto home = model_->backend->home_of(prefix);
    if (!home || *home >= model_->at_home.size()) return true;
    const double share = static_cast<double>(slots_) / static_cast<double>(model_->at_home.size());
    return model_->at_home[*home] < std::ceil(share * kOverShare);
}

bool Placement::needs_runs() const {
    const auto at_home = work();
    const double share = std::ceil(slots_ / static_cast<double>(at_home.size()));
    return static_cast<double>(std::ranges::min(at_home)) < kRunsAhead * share;
}

std::size_t Placement::neediest() const {
    const auto at_home = work();
    return static_cast<std::size_t>(std::ranges::min_element(at_home) - at_home.begin());
}

std::vector<std::size_t> Placement::work() const {
    std::vector<std::size_t> at_home(model_->at_home.begin(), model_->at_home.end());
    at_home.resize(model_->backend->server_count());
    for (const auto& [id, active] : *batches_) {
        const auto lineup = active.lineups.find(model_->name);
        if (lineup == active.lineups.end()) continue;
        lineup->second.for_each_led(model_->runs, now_, [&](std::uint64_t prefix, std::size_t count) {
            const auto home = at_home.size() == 1 ? 0 : model_->backend->home_of(prefix);
            if (home) at_home[*home] += count;
        });
    }
    return at_home;
}

}  // namespace sheaf::scheduler
