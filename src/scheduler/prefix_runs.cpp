#include "scheduler/prefix_runs.h"

namespace sheaf::scheduler {
namespace {

// Servers forget, too; a run that was forgotten has one item alone again, no more.
constexpr std::size_t kKnownMax = 4096;
// 10,000 tokens a second, a quarter of a token a byte: what a slow graphics card reads.
constexpr double kBytesPerSecond = 40'000;

PrefixRuns::Time::duration reading_time(std::size_t bytes) {
    return std::chrono::duration_cast<PrefixRuns::Time::duration>(
        std::chrono::duration<double>(static_cast<double>(bytes) / kBytesPerSecond));
}

}  // namespace

PrefixRuns::Gate PrefixRuns::gate(std::uint64_t prefix, Time now) const {
    if (prefix == 0) return Gate::open;
    const auto found = runs_.find(prefix);
    if (found == runs_.end()) return Gate::leader;
    return found->second.is_open || found->second.opens_at <= now ? Gate::open : Gate::closed;
}

PrefixRuns::Time PrefixRuns::opens_at(std::uint64_t prefix) const {
    const auto found = runs_.find(prefix);
    return found == runs_.end() ? Time{} : found->second.opens_at;
}

void PrefixRuns::started(std::uint64_t prefix, std::size_t prompt_bytes, Time now) {
    if (prefix == 0) return;
    const auto [run, is_new] = runs_.try_emplace(prefix, Run{.opens_at = now + reading_time(prompt_bytes)});
    if (!is_new) return;
    order_.push_back(prefix);
    if (order_.size() <= kKnownMax) return;
    runs_.erase(order_.front());
    order_.pop_front();
}

void PrefixRuns::ended(std::uint64_t prefix) {
    if (const auto found = runs_.find(prefix); found != runs_.end()) found->second.is_open = true;
}

}  // namespace sheaf::scheduler
