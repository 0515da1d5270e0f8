#include "engine.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace model_server {

Engine::Engine(const Options& options)
    : limits_(options.limits),
      cache_(options.kv_tokens),
      prefill_micros_per_token_(options.prefill_tokens_per_s > 0 ? 1e6 / options.prefill_tokens_per_s : 0) {}

bool Engine::submit(std::uint64_t id, Work work, Micros now) {
    move_clock(now);
    const bool has_slot = !limits_.held && (limits_.slots == 0 || running_ < limits_.slots);
    if (!has_slot && limits_.queue_max > 0 && waiting() >= limits_.queue_max) return false;
    const auto prompt_tokens = work.prompt_tokens;
    jobs_.emplace(id, Job{std::move(work), Served{.id = id, .arrived = now, .prompt_tokens = prompt_tokens}});
    queue_.push_back(id);
    start_waiting();
    totals_.waiting_max = std::max(totals_.waiting_max, waiting());
    return true;
}

void Engine::cancel(std::uint64_t id, Micros now) {
    move_clock(now);
    const auto job = jobs_.find(id);
    if (job == jobs_.end()) return;
    if (job->second.is_running) --running_;
    jobs_.erase(job);
    start_waiting();
}

void Engine::set_limits(const Limits& limits, Micros now) {
    move_clock(now);
    limits_ = limits;
    start_waiting();
}

std::vector<Served> Engine::advance(Micros now) {
    std::vector<Served> ended;
    move_clock(now);
    while (next_end() == now_) {
        const auto event = events_.top();
        events_.pop();
        auto& job = jobs_.at(event.id);
        if (!event.ends) {
            cache_.insert(job.work.blocks);
            continue;
        }
        job.served.ended = now_;
        ended.push_back(job.served);
        jobs_.erase(event.id);
        --running_;
        start_waiting();
    }
    return ended;
}

std::optional<Micros> Engine::next_end() const {
    while (!events_.empty() && !jobs_.contains(events_.top().id)) events_.pop();
    if (events_.empty()) return std::nullopt;
    // The clocks are in whole microseconds and in fractions: what is due within less than half of one is due.
    const double left = std::max(0.0, events_.top().at - virtual_now_ - 0.5) / speed();
    return now_ + static_cast<Micros>(std::ceil(left));
}

double Engine::speed() const {
    if (limits_.knee == 0 || running_ <= limits_.knee) return 1;
    const double knee = limits_.knee, n = running_, over = (n - knee) / knee;
    return knee / (1 + over * over) / n;
}

void Engine::move_clock(Micros now) {
    if (now <= now_) return;
    const auto passed = now - now_;
    if (running_ > 0) {
        totals_.busy += passed * running_;
        virtual_now_ += static_cast<double>(passed) * speed();
    }
    now_ = now;
}

void Engine::start_waiting() {
    while (!queue_.empty() && !limits_.held && (limits_.slots == 0 || running_ < limits_.slots)) {
        const auto job = jobs_.find(queue_.front());
        queue_.pop_front();
        if (job != jobs_.end()) start(job->second);
    }
}

void Engine::start(Job& job) {
    job.is_running = true;
    job.served.started = now_;
    totals_.running_max = std::max(totals_.running_max, ++running_);
    job.served.cached_tokens = cache_.find(job.work.blocks) * kBlockTokens;
    const auto computed = job.work.prompt_tokens - job.served.cached_tokens;
    totals_.prompt_tokens += job.work.prompt_tokens;
    totals_.cached_tokens += job.served.cached_tokens;
    totals_.prefill_tokens += computed;
    totals_.uncachable_tokens += job.work.prompt_tokens - job.work.blocks.size() * kBlockTokens;
    if (job.work.hangs) return;
    const double prefilled = virtual_now_ + prefill_micros_per_token_ * computed;
    if (!job.work.blocks.empty()) events_.push({.at = prefilled, .id = job.served.id});
    events_.push({.at = prefilled + static_cast<double>(job.work.decode), .id = job.served.id, .ends = true});
}

}  // namespace model_server
