#include "scheduler/prefix_runs.h"

namespace sheaf::scheduler {
namespace {

// 10,000 tokens a second, a quarter of a token a byte: what a slow graphics card reads.
constexpr double kBytesPerSecond = 40'000;

PrefixRuns::Time::duration reading_time(std::size_t bytes) {
    return std::chrono::duration_cast<PrefixRuns::Time::duration>(
        std::chrono::duration<double>(static_cast<double>(bytes) / kBytesPerSecond));
}

}  // namespace

PrefixRuns::Gate PrefixRuns::gate(std::uint64_t prefix, Time now) const {
    if (prefix == 0) return Gate::open;
    const Run* const run = runs_.find(prefix);
    if (run == nullptr || run->state == Run::State::given_up) return Gate::leader;
    return run->state == Run::State::read || run->opens_at <= now ? Gate::open : Gate::closed;
}

PrefixRuns::Time PrefixRuns::opens_at(std::uint64_t prefix) const {
    const Run* const run = runs_.find(prefix);
    return run == nullptr ? Time{} : run->opens_at;
}

void PrefixRuns::started(std::uint64_t prefix, std::size_t prompt_bytes, Time now) {
    const Run* const run = runs_.find(prefix);
    if (prefix == 0 || (run != nullptr && run->state != Run::State::given_up)) return;
    runs_.set(prefix, {.opens_at = now + reading_time(prompt_bytes)});
}

void PrefixRuns::ended(std::uint64_t prefix) {
    if (Run* const run = runs_.find(prefix)) run->state = Run::State::read;
}

void PrefixRuns::given_up(std::uint64_t prefix) {
    Run* const run = runs_.find(prefix);
    if (run != nullptr && run->state == Run::State::begun) run->state = Run::State::given_up;
}

}  // namespace sheaf::scheduler
