#include "webhook/sender.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/steady_clock.h"
#include "webhook/signature.h"

namespace sheaf::webhook {
namespace {

constexpr std::chrono::milliseconds kLookEvery{1'000};
constexpr std::chrono::milliseconds kTroubleWait{500};
constexpr std::chrono::minutes kForgetEvery{1};
constexpr std::uint32_t kForgottenAtOnce = 1'000;
constexpr std::chrono::milliseconds kStopMoment{1'000};
constexpr std::size_t kFailingMax = 10'000;

bool is_taken(int status) {
    return status >= 200 && status < 300;
}

Error refusal(int status) {
    const bool is_redirect = status >= 300 && status < 400;
    return {ErrorCode::unavailable,
            fmt::format("The server answered with status {}{}.", status,
                        is_redirect ? "; redirects are not followed" : ""),
            {}};
}

}  // namespace

Sender::Sender(Parts parts)
    : parts_(std::move(parts)),
      random_(parts_.seed),
      facts_bell_(parts_.executor),
      due_bell_(parts_.executor),
      housekeeping_(parts_.executor),
      flights_(parts_.executor),
      forgot_at_(parts_.clock->now()) {}

void Sender::wake() {
    facts_bell_.ring_from_any_thread();
}

async::Task<void> Sender::run() {
    housekeeping_.spawn(expand());
    while (!stopping_) {
        co_await send_due();
        co_await due_bell_.wait_for(kLookEvery);
    }
}

async::Task<void> Sender::stop() {
    stopping_ = true;
    due_bell_.ring();
    const auto until = SteadyClock::now() + kStopMoment;
    while (flights_.size() > 0 && SteadyClock::now() < until)
        co_await async::sleep_for(std::chrono::milliseconds{10});
    flights_.stop();
    co_await flights_.wait_until_empty();
    housekeeping_.stop();
    co_await housekeeping_.wait_until_empty();
}

async::Task<void> Sender::expand() {
    while (true) {
        const auto expanded = co_await parts_.store_lane->run(
            [this, now = parts_.clock->now()] { return parts_.expander->expand_some(now); });
        if (!expanded) {
            log::error("what has ended could not be made into deliveries",
                       {{"why", expanded.error().message}});
            co_await async::sleep_for(kTroubleWait);
        } else if (*expanded) {
            due_bell_.ring();
        } else {
            co_await forget_old();
            co_await facts_bell_.wait_for(kLookEvery);
        }
    }
}

async::Task<void> Sender::forget_old() {
    const Timestamp now = parts_.clock->now();
    if (now - forgot_at_ < kForgetEvery) co_return;
    forgot_at_ = now;
    const auto forgotten = co_await parts_.outbox(
        [&](store::Outbox& outbox) { return outbox.forget(now - parts_.policy.kept_for, kForgottenAtOnce); });
    if (!forgotten) log::warning("old deliveries could not be cleared", {{"why", forgotten.error().message}});
}

bool Sender::has_room_for(const store::DueDelivery& due) const {
    const auto count = [&](const auto& is_alike) {
        return static_cast<std::uint32_t>(
            std::ranges::count_if(in_flight_, [&](const auto& flight) { return is_alike(flight.second); }));
    };
    const std::uint32_t of_account =
        count([&](const store::DueDelivery& other) { return other.account == due.account; });
    const std::uint32_t of_target =
        count([&](const store::DueDelivery& other) { return other.target == due.target; });
    const std::uint32_t of_target_max =
        failing_.contains(due.target) ? 1 : parts_.policy.attempts_at_once_per_target;
    return in_flight_.size() < parts_.policy.attempts_at_once &&
           of_account < parts_.policy.attempts_at_once_per_account && of_target < of_target_max;
}

async::Task<void> Sender::send_due() {
    if (in_flight_.size() >= parts_.policy.attempts_at_once) co_return;
    const auto due = co_await parts_.outbox([this, now = parts_.clock->now()](store::Outbox& outbox) {
        return outbox.due(now, parts_.policy.attempts_at_once_per_target);
    });
    if (!due) {
        log::error("deliveries could not be read", {{"why", due.error().message}});
        co_return;
    }
    if (stopping_) co_return;
    for (const store::DueDelivery& each : *due) {
        if (in_flight_.contains(each.number) || !has_room_for(each)) continue;
        in_flight_.emplace(each.number, each);
        flights_.spawn(deliver(each));
    }
}

async::Task<void> Sender::deliver(store::DueDelivery due) {
    struct Landing {
        Sender& sender;
        std::int64_t number;
        ~Landing() {
            sender.in_flight_.erase(number);
            sender.due_bell_.ring();
        }
    } const landing{*this, due.number};
    const auto delivery =
        co_await parts_.outbox([&](store::Outbox& outbox) { return outbox.find(due.number); });
    if (!delivery || delivery->ended_at) co_return;
    const auto error = co_await attempt(*delivery);
    // By stop(). The attempt does not count.
    if (error && error->code == ErrorCode::canceled) co_return;
    if (failing_.size() >= kFailingMax) failing_.clear();
    if (error)
        failing_.insert(due.target);
    else
        failing_.erase(due.target);
    co_await note(judge(*delivery, error));
}

async::Task<std::optional<Error>> Sender::attempt(const store::Delivery& delivery) {
    const fetch::Message message{
        .url = delivery.url,
        .headers = headers_of({.form = delivery.form,
                               .secret = delivery.secret,
                               .event = delivery.event,
                               .body = delivery.payload,
                               .at = parts_.clock->now()}),
        .body = delivery.payload,
        .time_max = delivery.webhook ? parts_.policy.webhook_time : parts_.policy.own_target_time};
    const auto status = co_await parts_.post_lane->run_stoppable([&](const std::atomic<bool>& stop) {
        return parts_.poster->post(message, [&stop] { return stop.load(); });
    });
    if (!status) co_return status.error();
    if (!is_taken(*status)) co_return refusal(*status);
    co_return std::nullopt;
}

store::Attempted Sender::judge(const store::Delivery& delivery, const std::optional<Error>& error) {
    const Timestamp now = parts_.clock->now();
    store::Attempted attempted{.delivery = delivery.number, .at = now};
    const std::uint32_t attempt = delivery.attempts + 1;
    if (!error) {
        log::debug("webhook told", {{"event", delivery.event}, {"attempt", attempt}});
        return attempted;
    }
    attempted.error = error->message;
    const bool is_last = attempt >= delivery.attempts_max || error->code == ErrorCode::invalid ||
                         now - delivery.created_at >= parts_.policy.age_max;
    if (is_last) {
        log::warning("webhook given up",
                     {{"event", delivery.event}, {"attempts", attempt}, {"why", error->message}});
        return attempted;
    }
    const Retries& retries =
        delivery.webhook ? parts_.policy.webhook_retries : parts_.policy.own_target_retries;
    const double fraction = std::uniform_real_distribution<double>(0, 1)(random_);
    attempted.again_at = now + wait_after(retries, attempt, fraction);
    return attempted;
}

// What cannot be noted is kept and noted later: sent again without a note it would be sent without end.
async::Task<void> Sender::note(store::Attempted attempted) {
    while (true) {
        const auto noted =
            co_await parts_.outbox([&](store::Outbox& outbox) { return outbox.record(attempted); });
        if (noted) co_return;
        log::error("an attempt could not be noted", {{"why", noted.error().message}});
        co_await async::sleep_for(kTroubleWait);
    }
}

}  // namespace sheaf::webhook
