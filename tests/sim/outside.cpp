#include "outside.h"

#include <fmt/format.h>

#include "async/timer.h"

namespace sheaf::sim {
namespace {

constexpr std::string_view kIdHeader = "webhook-id: ";
constexpr std::chrono::seconds kHang{20};

std::string header(const fetch::Message& message, std::string_view name) {
    for (const std::string& line : message.headers) {
        if (line.starts_with(name)) return line.substr(name.size());
    }
    return {};
}

}  // namespace

void ModelServer::recover() {
    habits_.breaks = habits_.refuses = habits_.is_overloaded = habits_.hangs = 0;
    out_until_ = {};
}

async::Task<core::Outcome> ModelServer::answer(std::string item) {
    const std::size_t number = ledger_.size();
    ledger_.push_back({.item = std::move(item), .began = timeline_->now()});
    if (on_attempt) on_attempt(ledger_.back());
    const bool hangs = dice_->happens(habits_.hangs);
    const bool was_out = is_out();
    co_await async::sleep_for(
        hangs ? kHang : std::chrono::ceil<std::chrono::milliseconds>(dice_->time_about(habits_.typical)));
    if (hangs || was_out || is_out() || dice_->happens(habits_.breaks))
        co_return core::Broken{{.code = "analysis_failed", .message = "it broke"}};
    if (dice_->happens(habits_.is_overloaded)) {
        std::optional<std::chrono::milliseconds> wait;
        if (dice_->happens(0.5)) wait = std::chrono::milliseconds(dice_->between(0, 2'000));
        co_return core::Overloaded{.message = "slow down", .retry_after = wait};
    }
    if (dice_->happens(habits_.refuses))
        co_return core::Refused{{.code = "invalid_request", .message = "not this"}};
    ledger_[number].was_good = true;
    co_return core::Answer{.reply = std::to_string(number), .usage = usage_of(number)};
}

async::Task<core::Outcome> SimulatedBackend::run(backend::Job job) {
    co_return co_await server_->answer(std::get<core::ModelRequest>(job.inference).body);
}

async::Task<void> SimulatedBackend::ready_for(Try) {
    while (server_->is_out()) co_await async::sleep_for(500ms);
}

Result<int> Listener::post(const fetch::Message& message, const GivesUp&) {
    Post post{.at = timeline_->now(),
              .url = message.url,
              .event = header(message, kIdHeader),
              .payload = std::string(message.body),
              .was_taken = !dice_->happens(fails_)};
    if (on_post) on_post(post);
    ledger_.push_back(post);
    if (post.was_taken) return 204;
    if (dice_->happens(0.5)) return fail(ErrorCode::unavailable, "no answer came");
    return 503;
}

}  // namespace sheaf::sim
