#include "scheduler/reaper.h"

#include "base/log.h"

namespace sheaf::scheduler {
namespace {

constexpr std::chrono::milliseconds kLookEvery{1'000};
constexpr std::uint32_t kPurgesAtOnce = 100;

}  // namespace

async::Task<void> Reaper::expire(Timestamp now) {
    const std::vector<BatchId> due = dispatcher_->due(now);
    for (const BatchId& id : due) {
        auto ended = co_await batches_(
            [&](store::Batches& batches) { return batches.apply(id, core::BatchEvent::expired, now); });
        if (ended) log::info("batch expired", {{"batch", to_string(id)}});
    }
    if (!due.empty()) dispatcher_->wake();
}

async::Task<void> Reaper::purge(Timestamp now) {
    auto aged = co_await batches_(
        [&](store::Batches& batches) { return batches.due_for_archive(now, kPurgesAtOnce); });
    if (!aged) co_return;
    for (const core::Batch& batch : *aged) {
        auto archived =
            co_await batches_([&](store::Batches& batches) { return batches.archive(batch.id, now); });
        if (archived) log::info("batch archived", {{"batch", to_string(batch.id)}});
    }
    auto over =
        co_await batches_([&](store::Batches& batches) { return batches.due_for_purge(now, kPurgesAtOnce); });
    if (!over) co_return;
    for (const core::Batch& batch : *over) {
        const BatchId id = batch.id;
        if (batch.state != core::BatchState::ended) {
            (void)co_await batches_(
                [&](store::Batches& batches) { return batches.apply(id, core::BatchEvent::expired, now); });
        }
        auto removed = co_await batches_([&](store::Batches& batches) { return batches.remove(id); });
        if (removed) log::info("batch purged", {{"batch", to_string(id)}});
    }
    auto forgotten = co_await batches_([&](store::Batches& batches) { return batches.forget_old(now); });
    if (!forgotten) log::warning("what is old could not be cleared", {{"why", forgotten.error().message}});
}

async::Task<void> Reaper::run() {
    while (true) {
        const Timestamp now = clock_->now();
        co_await expire(now);
        co_await purge(now);
        co_await async::sleep_for(kLookEvery);
    }
}

}  // namespace sheaf::scheduler
