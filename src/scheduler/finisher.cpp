#include "scheduler/finisher.h"

#include "base/log.h"
#include "base/steady_clock.h"

namespace sheaf::scheduler {
namespace {

constexpr std::size_t kGroupMax = 1024;
constexpr std::size_t kPendingMax = 4096;
constexpr std::chrono::milliseconds kRetryWait{500};
// From one group to the next: syncing costs the same for one result and for a hundred.
constexpr std::chrono::milliseconds kGroupsEvery{5};

}  // namespace

Finisher::Finisher(async::Executor executor, async::Blocking<store::ItemQueue> queue, OnWritten on_written)
    : queue_(queue), on_written_(std::move(on_written)), arrived_(executor), written_(executor) {}

async::Task<void> Finisher::push(store::ItemResult result) {
    while (pending_.size() >= kPendingMax) co_await written_.wait_for(kRetryWait);
    pending_.push_back(std::move(result));
    arrived_.ring();
}

async::Task<void> Finisher::write_group() {
    const std::size_t count = std::min(pending_.size(), kGroupMax);
    std::vector<store::ItemResult> group(
        std::make_move_iterator(pending_.begin()),
        std::make_move_iterator(pending_.begin() + static_cast<std::ptrdiff_t>(count)));
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
    writing_ = true;
    auto report = co_await queue_([&](store::ItemQueue& queue) { return queue.finish(group); });
    writing_ = false;
    refused_ = !report;
    if (!report) {
        log::error("results could not be written; they are kept", {{"count", group.size()},
                                                                   {"code", to_string(report.error().code)},
                                                                   {"why", report.error().message}});
        pending_.insert(pending_.begin(), std::make_move_iterator(group.begin()),
                        std::make_move_iterator(group.end()));
        written_.ring();
        co_await async::sleep_for(kRetryWait);
        co_return;
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
        if (report->recorded[i] == store::Recorded::lease_lost) {
            log::info("a late result was left out", {{"item", to_string(group[i].item)}});
        }
    }
    on_written_(group, report->ended);
    written_.ring();
}

async::Task<void> Finisher::run() {
    std::chrono::steady_clock::time_point next_at;
    while (true) {
        if (pending_.empty()) co_await arrived_.wait();
        const auto early = next_at - SteadyClock::now();
        if (early > early.zero())
            co_await async::sleep_for(std::chrono::ceil<std::chrono::milliseconds>(early));
        next_at = SteadyClock::now() + kGroupsEvery;
        if (!pending_.empty()) co_await write_group();
    }
}

async::Task<void> Finisher::flush() {
    while ((!pending_.empty() || writing_) && !refused_)
        co_await written_.wait_for(std::chrono::milliseconds{50});
}

}  // namespace sheaf::scheduler
