#include "service/followers.h"

#include <utility>

namespace sheaf::service {

Followers::Followers(async::Executor executor, std::chrono::milliseconds look_every)
    : executor_(executor), look_every_(look_every) {}

void Followers::told(std::span<const store::ItemResult> results) {
    // Looked at after the commit: who begins to follow later than this finds the results in the store.
    if (state_->count == 0) return;
    std::set<BatchId> batches;
    for (const store::ItemResult& result : results) batches.insert(result.item.batch);
    boost::asio::post(executor_, [state = state_, batches = std::move(batches)] {
        for (const BatchId& batch : batches) {
            const auto [first, end] = state->by_batch.equal_range(batch);
            for (auto at = first; at != end; ++at) at->second->ring();
        }
    });
}

void Followers::told_of_all() {
    if (state_->count == 0) return;
    boost::asio::post(executor_, [state = state_] {
        for (const auto& [batch, bell] : state->by_batch) bell->ring();
    });
}

void Followers::stop() {
    stopped_ = true;
    for (const auto& [batch, bell] : state_->by_batch) bell->ring();
}

Followers::Follower::Follower(Followers& all, const BatchId& batch)
    : all_(&all), batch_(batch), bell_(all.executor_) {
    all_->state_->by_batch.emplace(batch_, &bell_);
    ++all_->state_->count;
}

Followers::Follower::~Follower() {
    auto& by_batch = all_->state_->by_batch;
    const auto [first, end] = by_batch.equal_range(batch_);
    for (auto at = first; at != end; ++at) {
        if (at->second != &bell_) continue;
        by_batch.erase(at);
        break;
    }
    --all_->state_->count;
}

async::Task<void> Followers::Follower::wait_for(std::chrono::milliseconds at_most) {
    if (!all_->stopped_) co_await bell_.wait_for(std::min(at_most, all_->look_every_));
}

}  // namespace sheaf::service
