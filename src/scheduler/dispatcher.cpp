#include "scheduler/dispatcher.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/log.h"
#include "base/steady_clock.h"

namespace sheaf::scheduler {
namespace {

// Without any wake the store is looked at again after this long: leases that ended elsewhere.
constexpr std::chrono::milliseconds kLookEvery{5'000};
bool anywhere(std::uint64_t) {
    return true;
}

core::ItemState state_of(const core::Ending& ending) {
    if (std::holds_alternative<core::Succeeded>(ending)) return core::ItemState::succeeded;
    return std::holds_alternative<core::Canceled>(ending) ? core::ItemState::canceled
                                                          : core::ItemState::failed;
}

core::Usage usage_of(const core::Ending& ending) {
    const auto* succeeded = std::get_if<core::Succeeded>(&ending);
    return succeeded ? succeeded->answer.usage : core::Usage{};
}

}  // namespace

Dispatcher::Dispatcher(Parts parts)
    : parts_(std::move(parts)),
      finisher_(parts_.executor, parts_.queue,
                [this](auto results, auto ended) { forget_written(results, ended); }),
      housekeeping_(parts_.executor),
      claims_(parts_.executor),
      bell_(parts_.executor),
      live_slot_freed_(parts_.executor),
      renewed_at_(parts_.clock->now()) {}

void Dispatcher::wake() {
    store_changed_ = true;
    bell_.ring_from_any_thread();
}

std::vector<BatchId> Dispatcher::due(Timestamp now) const {
    std::vector<BatchId> due;
    for (const auto& [id, active] : active_) {
        if (!active.ended && active.batch.expires_at <= now) due.push_back(id);
    }
    return due;
}

async::Task<void> Dispatcher::run() {
    housekeeping_.spawn(finisher_.run());
    housekeeping_.spawn(renew_leases());
    for (auto& [name, model] : *parts_.models) model.backend->on_wider_window([this] { bell_.ring(); });
    auto look_at = SteadyClock::now();
    while (!stopping_) {
        // Also while the bell rings all the time: nobody may have told us of what other nodes did.
        if (store_changed_.exchange(false) || SteadyClock::now() >= look_at) {
            look_at = SteadyClock::now() + kLookEvery;
            co_await refresh();
        }
        drop_ended();
        claim_to_call_off();
        fill_slots();
        co_await bell_.wait_for(idle_time(SteadyClock::now(), look_at));
    }
    stopped_ = true;
    bell_.ring();
}

async::Task<void> Dispatcher::refresh() {
    auto unfinished = co_await parts_.batches([](store::Batches& batches) { return batches.unfinished(); });
    if (!unfinished) {
        log::error("the batches could not be read", {{"why", unfinished.error().message}});
        store_changed_ = true;
        co_await async::sleep_for(kTroubleWait);
        co_return;
    }
    std::map<BatchId, core::Batch> seen;
    for (core::Batch& batch : *unfinished) seen.emplace(batch.id, std::move(batch));
    bool any_ended = false;
    for (auto& [id, active] : active_) {
        if (active.ended || seen.contains(id)) continue;
        active.ended = any_ended = true;
        active.flights.stop();
    }
    for (auto& [id, batch] : seen) {
        const auto codec = parts_.codecs.find(batch.dialect);
        const bool finishes_running = codec != parts_.codecs.end() && codec->second->finishes_running_items();
        ActiveBatch& active = active_.try_emplace(id, batch, finishes_running, parts_.executor).first->second;
        const auto held = static_cast<std::uint32_t>(active.leases.size());
        active.batch = std::move(batch);
        // Running but not ours: its lease was lost, and the store hands it out again once it has ended.
        const std::uint32_t lost =
            active.batch.counts.running > held ? active.batch.counts.running - held : 0;
        active.claimable =
            lost + (active.batch.state == core::BatchState::canceling ? 0 : active.batch.counts.queued);
        if (active.is_called_off()) call_off(active);
    }
    // A batch may have come and gone between two looks.
    if (any_ended || unfinished->empty()) parts_.on_ended();
}

void Dispatcher::drop_ended() {
    std::erase_if(active_, [](const auto& entry) {
        const ActiveBatch& active = entry.second;
        return active.ended && !active.is_claiming && active.flights.size() == 0;
    });
}

std::vector<Candidate> Dispatcher::candidates_for(const Model& model, SteadyTime now,
                                                  const std::set<BatchId>& idle) const {
    std::vector<Candidate> candidates;
    const std::uint32_t free = free_slots(model);
    for (const auto& [id, active] : active_) {
        if (active.ended || idle.contains(id)) continue;
        if (!active.is_mixed() && active.batch.model != model.name) continue;
        const auto lineup = active.lineups.find(model.name);
        std::uint32_t waiting = lineup == active.lineups.end()
                                    ? 0
                                    : lineup->second.count_startable(model.runs, now, free, anywhere);
        if (may_claim(active, model) || active.is_claiming) waiting += active.claimable;
        candidates.push_back({id, active.batch.account, waiting, active.flying(),
                              slack_when_short(active.batch, active.claimable + active.leases.size(),
                                               model.pace.per_second(), parts_.clock->now())});
    }
    return candidates;
}

Placement Dispatcher::placement_of(const Model& model, SteadyTime now) const {
    return {model, active_, slots_of(model, parts_.clock->now()), now};
}

std::uint32_t Dispatcher::free_slots(const Model& model) const {
    const auto slots = slots_of(model, parts_.clock->now());
    return slots - std::min(model.running, slots);
}

void Dispatcher::fill_slots() {
    if (stopping_) return;
    const auto now = SteadyClock::now();
    for (auto& [name, model] : *parts_.models) fill_slots(model, now);
}

void Dispatcher::fill_slots(Model& model, SteadyTime now) {
    // Batches that have nothing to start now, whatever they have: the slots are for others. One whose items
    // lead runs waits while others have enough that follow.
    std::set<BatchId> idle;
    bool goes_on = true;
    while (goes_on && free_slots(model) > 0) {
        goes_on = false;
        for (const Share& share : share_slots(candidates_for(model, now, idle), free_slots(model))) {
            ActiveBatch& active = active_.at(share.batch);
            const std::uint32_t launched = launch(active, model, share.count, now);
            claim_ahead(active, model, share.count - launched, now);
            const bool is_idle = launched == 0 && !active.is_claiming;
            if (is_idle) idle.insert(share.batch);
            goes_on |= launched > 0 || is_idle;
        }
    }
    if (model.running == 0) return;
    run_stragglers_again(model, now);
    for (auto& [id, active] : active_) {
        if (!active.is_mixed() && active.batch.model == model.name) claim_ahead(active, model, 0, now);
    }
}

std::uint32_t Dispatcher::launch(ActiveBatch& active, Model& model, std::uint32_t count_max, SteadyTime now) {
    const auto lineup = active.lineups.find(model.name);
    if (lineup == active.lineups.end()) return 0;
    const Placement placement = placement_of(model, now);
    const auto has_room = [&](std::uint64_t prefix) { return placement.has_room(prefix); };
    const auto may_lead = [&] { return placement.needs_runs(); };
    std::uint32_t launched = 0;
    for (; launched < count_max; ++launched) {
        auto item = lineup->second.take(model.runs, now, has_room, may_lead);
        // Another server reads the beginning anew, when nothing better is to be had.
        if (!item && !may_claim(active, model) && !active.is_claiming && may_lead()) {
            item = lineup->second.take(model.runs, now, anywhere, may_lead);
            if (item) item->lease.prefix = 0;
        }
        if (!item) break;
        const std::uint64_t prefix = item->lease.prefix;
        if (model.runs.gate(prefix, now) == PrefixRuns::Gate::leader)
            model.backend->settle(prefix, placement.neediest());
        model.runs.started(prefix, item->lease.body.size(), now);
        take_off(active, std::move(*item), model);
    }
    return launched;
}

std::chrono::milliseconds Dispatcher::idle_time(SteadyTime now, SteadyTime look_at) const {
    auto first = look_at;
    for (auto& [name, model] : *parts_.models) {
        if (const auto straggler = next_straggler(model)) first = std::min(first, straggler->late_at);
    }
    for (const auto& [id, active] : active_) {
        for (const auto& [name, lineup] : active.lineups) {
            const auto model = parts_.models->find(name);
            if (model != parts_.models->end() && free_slots(model->second) > 0)
                first = std::min(first, lineup.opens_at(model->second.runs, now));
        }
    }
    return std::max(std::chrono::milliseconds{1}, std::chrono::ceil<std::chrono::milliseconds>(first - now));
}

std::expected<core::Inference, core::Failure> Dispatcher::inference_of(const core::Batch& batch,
                                                                       std::string_view body) const {
    auto inference = parts_.codecs.at(batch.dialect)->decode(batch, body);
    if (inference) return std::move(*inference);
    const Error& error = inference.error();
    return std::unexpected(
        core::Failure{.code = "invalid_request", .message = error.message, .field = error.field});
}

std::optional<core::Failure> Dispatcher::worn_out(const core::Lease& lease) const {
    if (lease.attempt <= parts_.leases_max) return std::nullopt;
    return core::Failure{
        "analysis_failed",
        fmt::format("The server stopped {} times while it worked on this item.", lease.attempt - 1)};
}

async::Task<core::Ending> Dispatcher::ending_of(Flight& flight, Model& model) {
    const core::Batch& batch = flight.batch->batch;
    Waiting& item = flight.item;
    if (auto failure = worn_out(item.lease)) co_return core::Failed{std::move(*failure)};
    if (!item.inference) {
        auto inference = inference_of(batch, item.lease.body);
        if (!inference) co_return core::Failed{std::move(inference.error())};
        item.inference = std::move(*inference);
    }
    co_return co_await parts_.runner->run(model, Run{.account = batch.account,
                                                     .inference = std::move(*item.inference),
                                                     .custom_id = item.lease.item.custom_id,
                                                     .prefix = item.lease.prefix,
                                                     .on_text = {},
                                                     .flight = &flight});
}

void Dispatcher::take_off(ActiveBatch& active, Waiting item, Model& model, Flight* straggler) {
    AtHome home(model, model.backend->home_of(item.lease.prefix));
    auto made = std::make_unique<Flight>(active, std::move(item), bell_);
    Flight& flight = *made;
    model.flights.push_back(flight);
    if (straggler != nullptr) flight.join(*straggler);
    active.flights.spawn(fly(std::move(made), model, Slot(model.running, bell_), std::move(home)),
                         flight.task);
}

async::Task<void> Dispatcher::fly(std::unique_ptr<Flight> flight, Model& model, Slot, AtHome) {
    core::Ending ending = co_await ending_of(*flight, model);
    flight->asked_at.reset();
    flight->has_ended = true;
    model.runs.ended(flight->item.lease.prefix);
    model.pace.count(SteadyClock::now());
    const bool another_may_do_better =
        !flight->is_only_run() && state_of(ending) != core::ItemState::succeeded;
    if (flight->is_moot || another_may_do_better) co_return;
    flight->stop_others();
    co_await land(*flight->batch, std::move(flight->item.lease), std::move(ending));
}

async::Task<void> Dispatcher::land(ActiveBatch& active, core::Lease lease, core::Ending ending) {
    core::ItemHead item = lease.item;
    item.state = state_of(ending);
    item.finished_at = parts_.clock->now();
    const core::ItemCodec& codec = *parts_.codecs.at(active.batch.dialect);
    co_await finisher_.push(
        {.item = item.id,
         .epoch = lease.epoch,
         .state = item.state,
         .line = core::has_result(item.state) ? codec.line(active.batch, item, ending) : "",
         .usage = usage_of(ending),
         .finished_at = *item.finished_at});
}

void Dispatcher::call_off(ActiveBatch& active) {
    for (auto& [name, lineup] : active.lineups) {
        for (Waiting& item : lineup.take_all())
            active.flights.spawn(land(active, std::move(item.lease), core::Canceled{}));
    }
    for (auto& [name, model] : *parts_.models) {
        for (auto next = model.flights.begin(); next != model.flights.end();) {
            Flight& flight = *next++;
            if (flight.batch == &active && flight.waits()) call_off(flight, model);
        }
    }
}

void Dispatcher::call_off(Flight& flight, Model& model) {
    ActiveBatch& active = *flight.batch;
    const bool is_only_run = flight.is_only_run();
    core::Lease lease = flight.item.lease;
    flight.stop();
    model.runs.given_up(lease.prefix);
    if (is_only_run) active.flights.spawn(land(active, std::move(lease), core::Canceled{}));
}

void Dispatcher::forget_written(std::span<const store::ItemResult> results,
                                std::span<const core::Batch> ended) {
    for (const store::ItemResult& result : results) {
        const auto found = active_.find(result.item.batch);
        if (found == active_.end()) continue;
        auto& leases = found->second.leases;
        const auto lease = leases.find(result.item.ordinal);
        if (lease != leases.end() && lease->second.epoch == result.epoch) leases.erase(lease);
    }
    for (const core::Batch& batch : ended) {
        log::info("batch ended", {{"batch", to_string(batch.id)},
                                  {"reason", to_string(batch.end_reason)},
                                  {"succeeded", batch.counts.succeeded},
                                  {"failed", batch.counts.failed}});
        if (const auto found = active_.find(batch.id); found != active_.end()) found->second.ended = true;
    }
    if (!ended.empty()) parts_.on_ended();
    parts_.on_written(results);
    bell_.ring();
}

async::Task<void> Dispatcher::stop(std::chrono::milliseconds grace) {
    stopping_ = true;
    bell_.ring();
    const auto until = SteadyClock::now() + grace;
    const auto flying = [&] {
        std::size_t sum = 0;
        for (const auto& [id, active] : active_) sum += active.flights.size();
        return sum;
    };
    while (!stopped_ || (flying() > 0 && SteadyClock::now() < until)) {
        co_await async::sleep_for(std::chrono::milliseconds{10});
    }
    co_await claims_.wait_until_empty();
    for (auto& [id, active] : active_) {
        active.flights.stop();
        co_await active.flights.wait_until_empty();
    }
    co_await finisher_.flush();
    co_await release_leases();
    housekeeping_.stop();
    co_await housekeeping_.wait_until_empty();
    for (auto& [name, model] : *parts_.models) model.backend->on_wider_window({});
    active_.clear();
}

async::Task<core::Ending> Dispatcher::live(AccountId account, core::Inference inference,
                                           std::function<void(std::string_view)> on_text) {
    const auto found = parts_.models->find(core::model_of(inference));
    CHECK(found != parts_.models->end(), "dialects ask knows_model() first");
    Model& model = found->second;
    while (model.live_running >= model.live_slots) co_await live_slot_freed_.wait_for(kLookEvery);
    const Slot slot(model.live_running, live_slot_freed_);
    model.live_at = parts_.clock->now();
    auto ending = co_await parts_.runner->run(
        model,
        Run{.account = std::move(account), .inference = std::move(inference), .on_text = std::move(on_text)});
    bell_.ring();
    co_return ending;
}

std::vector<std::string> Dispatcher::models() const {
    std::vector<std::string> names;
    for (const auto& [name, model] : *parts_.models) names.push_back(name);
    return names;
}

async::Task<core::Ending> Dispatcher::run_live(AccountId account, core::Inference inference,
                                               std::function<void(std::string_view)> on_text) {
    if (!on_text)
        co_return co_await async::on(parts_.executor, live(std::move(account), std::move(inference), {}));

    // Fragments travel to the caller's executor ahead of the ending. Once the caller is gone they go nowhere.
    const async::Executor home = co_await async::current_executor();
    const auto listener = std::make_shared<std::function<void(std::string_view)>>(std::move(on_text));
    const std::weak_ptr<std::function<void(std::string_view)>> heard = listener;
    const auto send = [home, heard](std::string_view fragment) {
        boost::asio::post(home, [heard, text = std::string(fragment)] {
            if (const auto still = heard.lock()) (*still)(text);
        });
    };
    co_return co_await async::on(parts_.executor, live(std::move(account), std::move(inference), send));
}

}  // namespace sheaf::scheduler
