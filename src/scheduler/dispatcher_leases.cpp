#include <algorithm>

#include "base/log.h"
#include "scheduler/dispatcher.h"

// How the dispatcher gets, keeps and gives back leases.
namespace sheaf::scheduler {
namespace {

// So much of the work to come is leased ahead of need.
constexpr std::chrono::milliseconds kAhead{50};
constexpr std::uint32_t kAheadMax = 256;
// Leased items of one batch without a slot: more where they wait for the first of their run, never more than
// these. Of a batch whose items name their models, one slow model must not hold up the others for long.
constexpr std::uint32_t kWaitingMin = 512;
constexpr std::uint32_t kWaitingPerSlot = 4;
constexpr std::size_t kWaitingMixedMax = 256;
constexpr std::size_t kWaitingBytesMax = std::size_t{64} << 20;

// What is needed to renew it and to give it back.
core::Lease head_of(const core::Lease& lease) {
    return {.item = {.id = lease.item.id,
                     .custom_id = {},
                     .subject = {},
                     .state = lease.item.state,
                     .finished_at = {}},
            .epoch = lease.epoch};
}

}  // namespace

bool Dispatcher::may_claim(const ActiveBatch& active, const Model& model) const {
    if (active.ended || active.is_claiming || active.claimable == 0) return false;
    if (active.is_called_off()) return false;
    const std::size_t count_max =
        active.is_mixed() ? kWaitingMixedMax : std::max(kWaitingMin, kWaitingPerSlot * model.slots);
    return active.waiting() < count_max && active.waiting_bytes() < kWaitingBytesMax;
}

void Dispatcher::claim_to_call_off() {
    for (auto& [id, active] : active_) {
        const bool has_lost = active.is_called_off() && active.claimable > 0;
        if (!has_lost || active.ended || active.is_claiming) continue;
        active.is_claiming = true;
        claims_.spawn(claim(active, kWaitingMin));
    }
}

void Dispatcher::claim_ahead(ActiveBatch& active, Model& model, std::uint32_t missing, SteadyTime now) {
    if (!may_claim(active, model)) return;
    const std::uint32_t ahead = std::min(model.pace.within(kAhead), kAheadMax);
    // Its part of what the model has to do soon.
    const std::uint32_t wanted = missing + ahead * active.flying() / std::max(1U, model.running);
    if (wanted == 0) return;
    const auto lineup = active.lineups.find(model.name);
    const Placement placement = placement_of(model, now);
    const auto has_room = [&](std::uint64_t prefix) { return placement.has_room(prefix); };
    const std::uint32_t at_hand = lineup == active.lineups.end()
                                      ? 0
                                      : lineup->second.count_startable(model.runs, now, wanted, has_room);
    // Not for every single one.
    if (at_hand >= wanted || (missing == 0 && at_hand > wanted / 2)) return;
    // Where those at hand have to wait, more of the same would be of no use.
    const bool are_held = lineup != active.lineups.end() && lineup->second.size() > at_hand;
    active.is_claiming = true;
    claims_.spawn(claim(active, std::max(wanted - at_hand, are_held ? model.running : 0)));
}

async::Task<void> Dispatcher::claim(ActiveBatch& active, std::uint32_t count) {
    struct Claiming {
        ActiveBatch& active;
        async::Bell& bell;
        ~Claiming() {
            active.is_claiming = false;
            bell.ring();
        }
    };
    const Claiming claiming{active, bell_};
    // After a full disk, a jump of the clock or a sleep of the machine our own leases may look lost: nothing
    // is claimed before they are renewed, or we would lease what we are running.
    if (parts_.clock->now() - renewed_at_ > parts_.lease_for / 2 && !co_await renew_held()) {
        store_changed_ = true;
        co_await async::sleep_for(kTroubleWait);
        co_return;
    }
    const store::ClaimRequest request{.batch = active.batch.id,
                                      .count_max = count,
                                      .now = parts_.clock->now(),
                                      .lease_for = parts_.lease_for};
    auto claimed = co_await parts_.queue([&](store::ItemQueue& queue) { return queue.claim(request); });
    if (!claimed) {
        active.claimable = 0;
        if (claimed.error().code == ErrorCode::not_found) co_return;
        log::error("items could not be leased",
                   {{"batch", to_string(active.batch.id)}, {"why", claimed.error().message}});
        store_changed_ = true;
        co_await async::sleep_for(kTroubleWait);
        co_return;
    }
    const auto got = static_cast<std::uint32_t>(claimed->leases.size() + claimed->damaged.size());
    active.claimable = got == 0 ? 0 : active.claimable - std::min(got, active.claimable);
    for (core::Lease& lease : claimed->leases) {
        active.leases.insert_or_assign(lease.item.id.ordinal, head_of(lease));
        line_up(active, std::move(lease));
    }
    for (core::Lease& lease : claimed->damaged) {
        log::error("a stored request is damaged", {{"item", to_string(lease.item.id)}});
        active.leases.insert_or_assign(lease.item.id.ordinal, head_of(lease));
        end_at_once(active, std::move(lease),
                    {"internal_server_error", "The stored request is damaged; submit it again."});
    }
    // It may be so since the claim was begun; or items were claimed whose holder was lost.
    if (active.is_called_off()) call_off(active);
}

void Dispatcher::line_up(ActiveBatch& active, core::Lease lease) {
    std::optional<core::Inference> asked;
    std::string name = active.batch.model;
    if (active.is_mixed()) {
        if (auto failure = worn_out(lease)) return end_at_once(active, std::move(lease), std::move(*failure));
        auto inference = inference_of(active.batch, lease.body);
        if (!inference) return end_at_once(active, std::move(lease), std::move(inference.error()));
        name = core::model_of(*inference);
        asked = std::move(*inference);
    }
    const auto model = parts_.models->find(name);
    if (model == parts_.models->end() && active.is_mixed())
        return end_at_once(active, std::move(lease),
                           {"model_not_found", fmt::format("There is no model of the name \"{}\".", name)});
    if (model == parts_.models->end() || !model->second.backend->keeps_prefixes()) lease.prefix = 0;
    active.lineups[name].add({.lease = std::move(lease), .inference = std::move(asked)});
}

void Dispatcher::end_at_once(ActiveBatch& active, core::Lease lease, core::Failure failure) {
    active.flights.spawn(land(active, std::move(lease), core::Failed{std::move(failure)}));
}

async::Task<bool> Dispatcher::renew_held() {
    const Timestamp now = parts_.clock->now();
    std::vector<core::Lease> held;
    for (const auto& [id, active] : active_) {
        for (const auto& [ordinal, lease] : active.leases) {
            held.push_back({.item = {.id = lease.item.id}, .epoch = lease.epoch});
        }
    }
    if (!held.empty()) {
        auto renewed = co_await parts_.queue(
            [&](store::ItemQueue& queue) { return queue.renew(held, now + parts_.lease_for); });
        if (!renewed) {
            log::error("leases could not be renewed", {{"why", renewed.error().message}});
            co_return false;
        }
    }
    renewed_at_ = now;
    co_return true;
}

async::Task<void> Dispatcher::renew_leases() {
    while (true) {
        co_await async::sleep_for(parts_.lease_for / 3);
        co_await renew_held();
    }
}

async::Task<void> Dispatcher::release_leases() {
    std::vector<core::Lease> held;
    for (auto& [id, active] : active_) {
        for (auto& [ordinal, lease] : active.leases) held.push_back(std::move(lease));
        active.leases.clear();
    }
    if (held.empty()) co_return;
    log::info("giving back what did not finish in time", {{"items", held.size()}});
    auto released = co_await parts_.queue([&](store::ItemQueue& queue) { return queue.release(held); });
    if (!released) log::error("leases could not be given back", {{"why", released.error().message}});
}

}  // namespace sheaf::scheduler
