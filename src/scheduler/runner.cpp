#include "scheduler/runner.h"

#include "async/timer.h"
#include "base/log.h"
#include "base/steady_clock.h"

namespace sheaf::scheduler {
namespace {

// Attempts of one item that broke while no server answered, and so do not count. Bounded, for an item that
// takes its server down each time must run out.
constexpr std::uint32_t kOutagesMax = 16;

}  // namespace

async::Task<core::Outcome> Runner::attempt(Model& model, Run run, std::uint32_t attempt,
                                           bool& text_was_sent) {
    backend::Job job{.custom_id = std::move(run.custom_id),
                     .prefix = run.prefix,
                     .attempt = attempt,
                     .is_live = run.is_live()};
    if (const auto* const analysis = std::get_if<core::VideoAnalysis>(&run.inference)) {
        auto prepared = co_await inputs_->prepare(run.account, *analysis);
        if (auto* refused = std::get_if<core::Refused>(&prepared)) co_return std::move(*refused);
        if (auto* broken = std::get_if<core::Broken>(&prepared)) co_return std::move(*broken);
        auto& at_hand = std::get<Prepared>(prepared);
        job.video = std::move(at_hand.video);
        job.images = std::move(at_hand.images);
    }
    job.inference = std::move(run.inference);
    if (run.on_text) {
        job.on_text = [&text_was_sent, on_text = std::move(run.on_text)](std::string_view fragment) {
            text_was_sent = true;
            on_text(fragment);
        };
    }
    co_return co_await model.backend->run(std::move(job));
}

async::Task<core::Ending> Runner::run(Model& model, Run run) {
    std::uint32_t broken = 0;
    std::uint32_t overloads = 0;
    std::uint32_t outages = 0;
    bool text_was_sent = false;
    auto next = backend::Backend::Try::first;
    while (true) {
        if (!run.is_live()) co_await model.backend->ready_for(next);
        const auto asked_at = SteadyClock::now();
        if (!run.is_live()) run.flight->asked_at = asked_at;
        const core::Outcome outcome = co_await attempt(model, run, broken + 1, text_was_sent);
        if (std::holds_alternative<core::Overloaded>(outcome)) ++overloads;
        if (std::holds_alternative<core::Broken>(outcome)) {
            if (!run.is_live() && model.backend->is_out() && outages < kOutagesMax)
                ++outages;
            else
                ++broken;
        }
        next = std::holds_alternative<core::Broken>(outcome) ? backend::Backend::Try::after_break
                                                             : backend::Backend::Try::first;
        const double fraction = std::uniform_real_distribution<double>(0, 1)(random_);
        core::Decision decision = core::decide(model.retry, outcome, broken, overloads, fraction);
        if (auto* done = std::get_if<core::Done>(&decision)) {
            if (!run.is_live()) model.durations.add(SteadyClock::now() - asked_at);
            co_return core::Succeeded{std::move(done->answer)};
        }
        if (auto* given_up = std::get_if<core::GiveUp>(&decision))
            co_return core::Failed{std::move(given_up->failure)};
        // What a live caller has read cannot be taken back.
        if (text_was_sent)
            co_return core::Failed{
                {"analysis_failed", "The model server broke off in the middle of its answer."}};
        if (!run.is_live() && run.flight->is_called_off()) co_return core::Canceled{};
        const auto wait = std::get<core::Again>(decision).after;
        log::debug(
            "trying again",
            {{"model", model.name}, {"broken", broken}, {"overloads", overloads}, {"wait_ms", wait.count()}});
        std::optional<StepOut> out;
        if (!run.is_live()) {
            run.flight->asked_at.reset();
            out.emplace(model, *run.flight->slot_freed);
        }
        co_await async::sleep_for(wait);
    }
}

}  // namespace sheaf::scheduler
