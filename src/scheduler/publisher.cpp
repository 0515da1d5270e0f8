#include "scheduler/publisher.h"

#include <algorithm>

#include "base/log.h"
#include "base/steady_clock.h"
#include "scheduler/layout.h"

namespace sheaf::scheduler {
namespace {

constexpr std::chrono::milliseconds kLookEvery{2'000};
constexpr std::chrono::seconds kDelayMax{600};

}  // namespace

Publisher::Publisher(async::Executor executor, async::Blocking<store::Batches> batches, core::Codecs codecs,
                     const Clock& clock)
    : batches_(batches), codecs_(std::move(codecs)), clock_(&clock), bell_(executor) {}

bool Publisher::is_due(const BatchId& id) const {
    const auto delay = delays_.find(id);
    return delay == delays_.end() || delay->second.until <= SteadyClock::now();
}

void Publisher::put_off(const BatchId& id) {
    Delay& delay = delays_[id];
    delay.wait = std::min(delay.wait * 2, kDelayMax);
    delay.until = SteadyClock::now() + delay.wait;
}

async::Task<bool> Publisher::publish(core::Batch batch) {
    const auto layout = layout_of(*codecs_.at(batch.dialect), clock_->now());
    auto published =
        co_await batches_([&](store::Batches& batches) { return batches.publish(batch.id, layout); });
    if (!published && published.error().code != ErrorCode::not_found) {
        log::error("results could not be laid out; they are still served from the log",
                   {{"batch", to_string(batch.id)}, {"why", published.error().message}});
        co_return false;
    }
    co_return true;
}

async::Task<void> Publisher::run() {
    while (true) {
        auto ready = co_await batches_([](store::Batches& batches) { return batches.unpublished(); });
        if (!ready) log::error("ended batches could not be listed", {{"why", ready.error().message}});
        if (ready) {
            std::erase_if(delays_, [&](const auto& entry) {
                return std::ranges::find(*ready, entry.first, &core::Batch::id) == ready->end();
            });
            for (core::Batch& batch : *ready) {
                const BatchId id = batch.id;
                if (is_due(id) && !co_await publish(std::move(batch))) put_off(id);
            }
        }
        co_await bell_.wait_for(kLookEvery);
    }
}

}  // namespace sheaf::scheduler
