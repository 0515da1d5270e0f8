#include "scheduler/dispatcher.h"

#include "base/check.h"
#include "base/log.h"

namespace sheaf::scheduler {
namespace {

// Without any wake the store is looked at again after this long: leases that ended elsewhere.
constexpr std::chrono::milliseconds kLookEvery{5'000};
constexpr std::chrono::milliseconds kTroubleWait{500};
constexpr std::size_t kParkedMax = 256;

core::ItemState state_of(const core::Ending& ending) {
    return std::holds_alternative<core::Succeeded>(ending) ? core::ItemState::succeeded
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
    while (!stopping_) {
        if (store_changed_.exchange(false)) co_await refresh();
        drop_ended();
        if (!stopping_) co_await fill_slots();
        if (!co_await bell_.wait_for(kLookEvery)) store_changed_ = true;
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
        Active& active = active_.try_emplace(id, batch, parts_.executor).first->second;
        const auto held = static_cast<std::uint32_t>(active.leases.size());
        active.batch = std::move(batch);
        // Running but not ours: its lease was lost, and the store hands it out again once it has ended.
        const std::uint32_t lost =
            active.batch.counts.running > held ? active.batch.counts.running - held : 0;
        active.waiting =
            lost + (active.batch.state == core::BatchState::canceling ? 0 : active.batch.counts.queued);
    }
    // A batch may have come and gone between two looks.
    if (any_ended || unfinished->empty()) parts_.on_ended();
}

void Dispatcher::drop_ended() {
    std::erase_if(active_,
                  [](const auto& entry) { return entry.second.ended && entry.second.flights.size() == 0; });
}

std::vector<Candidate> Dispatcher::candidates_for(const Model& model) const {
    std::vector<Candidate> candidates;
    for (const auto& [id, active] : active_) {
        if (active.ended) continue;
        std::uint32_t waiting = active.waiting;
        if (active.is_mixed()) {
            const auto parked = active.parked.find(model.name);
            if (parked != active.parked.end() && !parked->second.empty())
                waiting = static_cast<std::uint32_t>(parked->second.size());
            else if (active.parked_count >= kParkedMax)
                continue;
        } else if (active.batch.model != model.name) {
            continue;
        }
        const std::size_t running =
            active.leases.size() - std::min(active.parked_count, active.leases.size());
        candidates.push_back({id, active.batch.account, waiting, static_cast<std::uint32_t>(running)});
    }
    return candidates;
}

std::uint32_t Dispatcher::free_slots(const Model& model) const {
    const auto slots = slots_of(model, parts_.clock->now());
    return slots - std::min(model.running, slots);
}

async::Task<void> Dispatcher::fill_slots() {
    for (auto& [name, model] : *parts_.models) {
        while (!stopping_ && free_slots(model) > 0) {
            const auto shares = share_slots(candidates_for(model), free_slots(model));
            if (shares.empty()) break;
            for (const Share& share : shares) {
                if (!stopping_) co_await serve(share, model);
            }
        }
    }
}

async::Task<void> Dispatcher::serve(Share share, Model& model) {
    if (const auto found = active_.find(share.batch); found != active_.end()) {
        Active& active = found->second;
        const auto parked = active.parked.find(model.name);
        if (parked != active.parked.end() && !parked->second.empty()) {
            launch_parked(active, model, share.count);
            co_return;
        }
    }
    co_await claim(share, model);
}

void Dispatcher::launch_parked(Active& active, Model& model, std::uint32_t count_max) {
    auto& parked = active.parked[model.name];
    for (std::uint32_t n = 0; n < count_max && !parked.empty(); ++n) {
        active.flights.spawn(
            fly_decoded(active, std::move(parked.front()), model, Slot(model.running, bell_)));
        parked.pop_front();
        --active.parked_count;
    }
}

void Dispatcher::sort_in(Active& active, core::Lease lease) {
    const auto end = [&](core::Failure failure) {
        active.flights.spawn(land(active, std::move(lease), core::Failed{std::move(failure)}));
    };
    if (auto failure = worn_out(lease)) return end(std::move(*failure));
    auto inference = parts_.codecs.at(active.batch.dialect)->decode(active.batch, lease.body);
    if (!inference)
        return end({.code = "invalid_request",
                    .message = inference.error().message,
                    .field = inference.error().field});
    const std::string name = core::model_of(*inference);
    if (!parts_.models->contains(name))
        return end({"model_not_found", fmt::format("There is no model of the name \"{}\".", name)});
    active.parked[name].push_back({std::move(lease), std::move(*inference)});
    ++active.parked_count;
}

async::Task<void> Dispatcher::claim(Share share, Model& model) {
    // After a full disk, a jump of the clock or a sleep of the machine our own leases may look lost: nothing
    // is claimed before they are renewed, or we would lease what we are running.
    if (parts_.clock->now() - renewed_at_ > parts_.lease_for / 2 && !co_await renew_held()) {
        store_changed_ = true;
        co_await async::sleep_for(kTroubleWait);
        co_return;
    }
    const store::ClaimRequest request{.batch = share.batch,
                                      .count_max = share.count,
                                      .now = parts_.clock->now(),
                                      .lease_for = parts_.lease_for};
    auto claimed = co_await parts_.queue([&](store::ItemQueue& queue) { return queue.claim(request); });
    const auto found = active_.find(share.batch);
    if (found == active_.end()) co_return;
    Active& active = found->second;
    if (!claimed) {
        active.waiting = 0;
        if (claimed.error().code == ErrorCode::not_found) co_return;
        log::error("items could not be leased",
                   {{"batch", to_string(share.batch)}, {"why", claimed.error().message}});
        store_changed_ = true;
        co_await async::sleep_for(kTroubleWait);
        co_return;
    }
    const auto count = static_cast<std::uint32_t>(claimed->leases.size() + claimed->damaged.size());
    active.waiting = count == 0 ? 0 : active.waiting - std::min(count, active.waiting);
    for (core::Lease& lease : claimed->leases) {
        active.leases.insert_or_assign(lease.item.id.ordinal, lease);
        if (active.is_mixed())
            sort_in(active, std::move(lease));
        else
            active.flights.spawn(fly(active, std::move(lease), model, Slot(model.running, bell_)));
    }
    if (active.is_mixed()) launch_parked(active, model, free_slots(model));
    for (core::Lease& lease : claimed->damaged) {
        log::error("a stored request is damaged", {{"item", to_string(lease.item.id)}});
        active.leases.insert_or_assign(lease.item.id.ordinal, lease);
        active.flights.spawn(
            land(active, std::move(lease),
                 core::Failed{{"internal_server_error", "The stored request is damaged; submit it again."}}));
    }
}

std::optional<core::Failure> Dispatcher::worn_out(const core::Lease& lease) const {
    if (lease.attempt <= parts_.leases_max) return std::nullopt;
    return core::Failure{
        "analysis_failed",
        fmt::format("The server stopped {} times while it worked on this item.", lease.attempt - 1)};
}

async::Task<core::Ending> Dispatcher::ending_of(const core::Batch& batch, const core::Lease& lease,
                                                Model& model) {
    if (auto failure = worn_out(lease)) co_return core::Failed{std::move(*failure)};
    auto inference = parts_.codecs.at(batch.dialect)->decode(batch, lease.body);
    if (!inference)
        co_return core::Failed{{.code = "invalid_request",
                                .message = inference.error().message,
                                .field = inference.error().field}};
    co_return co_await parts_.runner->run(
        model,
        Run{.account = batch.account, .inference = std::move(*inference), .custom_id = lease.item.custom_id});
}

async::Task<void> Dispatcher::fly(Active& active, core::Lease lease, Model& model, Slot) {
    core::Ending ending = co_await ending_of(active.batch, lease, model);
    co_await land(active, std::move(lease), std::move(ending));
}

async::Task<void> Dispatcher::fly_decoded(Active& active, Decoded decoded, Model& model, Slot) {
    core::Ending ending = co_await parts_.runner->run(model, Run{.account = active.batch.account,
                                                                 .inference = std::move(decoded.inference),
                                                                 .custom_id = decoded.lease.item.custom_id});
    co_await land(active, std::move(decoded.lease), std::move(ending));
}

async::Task<void> Dispatcher::land(Active& active, core::Lease lease, core::Ending ending) {
    core::ItemHead item = lease.item;
    item.state = state_of(ending);
    item.finished_at = parts_.clock->now();
    const core::ItemCodec& codec = *parts_.codecs.at(active.batch.dialect);
    co_await finisher_.push({.item = item.id,
                             .epoch = lease.epoch,
                             .state = item.state,
                             .line = codec.line(active.batch, item, ending),
                             .usage = usage_of(ending),
                             .finished_at = *item.finished_at});
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
    parts_.on_written();
    bell_.ring();
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

async::Task<void> Dispatcher::stop(std::chrono::milliseconds grace) {
    stopping_ = true;
    bell_.ring();
    const auto until = std::chrono::steady_clock::now() + grace;
    const auto flying = [&] {
        std::size_t sum = 0;
        for (const auto& [id, active] : active_) sum += active.flights.size();
        return sum;
    };
    while (!stopped_ || (flying() > 0 && std::chrono::steady_clock::now() < until)) {
        co_await async::sleep_for(std::chrono::milliseconds{10});
    }
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
    auto ending = co_await parts_.runner->run(model, Run{.account = std::move(account),
                                                         .inference = std::move(inference),
                                                         .on_text = std::move(on_text),
                                                         .is_live = true});
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
