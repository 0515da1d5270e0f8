#include "scheduler/publisher.h"

#include "base/log.h"

namespace sheaf::scheduler {
namespace {

// A batch that could not be published (the disk is full) is tried again after this long.
constexpr std::chrono::milliseconds kLookEvery{2'000};

}  // namespace

Publisher::Publisher(async::Executor executor, async::Blocking<store::Batches> batches, Codecs codecs)
    : batches_(batches), codecs_(std::move(codecs)), bell_(executor) {}

async::Task<void> Publisher::publish(core::Batch batch) {
    const core::ItemCodec& codec = *codecs_.at(batch.dialect);
    const store::Batches::Render render = [&codec](const core::Batch& of, const core::ItemHead& item) {
        const bool expired = item.state == core::ItemState::expired;
        return codec.line(of, item, expired ? core::Ending(core::Expired{}) : core::Ending(core::Canceled{}));
    };
    auto published =
        co_await batches_([&](store::Batches& batches) { return batches.publish(batch.id, render); });
    if (!published && published.error().code != ErrorCode::not_found) {
        log::error("results could not be laid out; they are still served from the log",
                   {{"batch", to_string(batch.id)}, {"why", published.error().message}});
    }
}

async::Task<void> Publisher::run() {
    while (true) {
        auto ready = co_await batches_([](store::Batches& batches) { return batches.unpublished(); });
        if (!ready) log::error("ended batches could not be listed", {{"why", ready.error().message}});
        if (ready) {
            for (core::Batch& batch : *ready) co_await publish(std::move(batch));
        }
        co_await bell_.wait_for(kLookEvery);
    }
}

}  // namespace sheaf::scheduler
