#include <algorithm>

#include "base/log.h"
#include "scheduler/dispatcher.h"

// How the dispatcher shortens the end of its work: where slots are free and nothing waits for them, an item
// that takes longer than most is run once more, and the first good answer counts (The Tail at Scale, Dean and
// Barroso, 2013).
namespace sheaf::scheduler {
namespace {

// Whatever the model's answers usually take, nobody is late before.
constexpr Durations::Duration kLateMin = std::chrono::milliseconds{100};
// Extra runs of a batch's items: one for so many of them, at most.
constexpr std::uint32_t kItemsPerExtraRun = 50;
constexpr std::size_t kRunsOfItemMax = 3;

bool may_run_again(const Flight& flight) {
    const ActiveBatch& batch = *flight.batch;
    return !flight.is_moot && !batch.ended && !flight.is_called_off() &&
           flight.count_runs() < kRunsOfItemMax &&
           batch.extra_runs < batch.batch.counts.total() / kItemsPerExtraRun;
}

}  // namespace

bool Dispatcher::has_more_for(const Model& model) const {
    return std::ranges::any_of(active_, [&](const auto& entry) {
        const ActiveBatch& active = entry.second;
        if (active.ended || (!active.is_mixed() && active.batch.model != model.name)) return false;
        const auto lineup = active.lineups.find(model.name);
        return active.claimable > 0 || active.is_claiming ||
               (lineup != active.lineups.end() && lineup->second.size() > 0);
    });
}

std::optional<Dispatcher::Straggler> Dispatcher::next_straggler(Model& model) const {
    if (!model.backend->may_be_late() || model.flights.empty()) return std::nullopt;
    if (free_slots(model) == 0 || has_more_for(model)) return std::nullopt;
    const auto usual_most = model.durations.usual_most();
    if (!usual_most) return std::nullopt;
    std::optional<Straggler> next;
    for (Flight& flight : model.flights) {
        const auto asked_at = flight.last_asked_at();
        if (!asked_at || !may_run_again(flight)) continue;
        const auto late_at = *asked_at + std::max(*usual_most, kLateMin);
        if (!next || late_at < next->late_at) next = Straggler{&flight, late_at};
    }
    return next;
}

void Dispatcher::run_stragglers_again(Model& model, SteadyTime now) {
    for (auto next = next_straggler(model); next && next->late_at <= now; next = next_straggler(model)) {
        Flight& late = *next->flight;
        ActiveBatch& active = *late.batch;
        ++active.extra_runs;
        log::debug("a late item is run once more", {{"item", to_string(late.item.lease.item.id)}});
        // Without its prefix: it goes where there is least to do, which is hardly where the first one hangs.
        Waiting again{.lease = late.item.lease, .inference = std::nullopt};
        again.lease.prefix = 0;
        take_off(active, std::move(again), model, &late);
    }
}

}  // namespace sheaf::scheduler
