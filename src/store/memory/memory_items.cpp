#include <algorithm>

#include "store/memory/memory_state.h"

namespace sheaf::store {
namespace {

class MemoryItems final : public ItemQueue {
public:
    explicit MemoryItems(MemoryState& state) : state_(&state) {}

    Result<Claimed> claim(const ClaimRequest& request) override {
        const std::scoped_lock lock(state_->mutex);
        const auto found = state_->batches.find(request.batch);
        if (found == state_->batches.end()) return fail(ErrorCode::not_found, "there is no such batch");
        MemoryBatch& stored = found->second;
        Claimed claimed;
        std::uint64_t bytes = 0;
        const auto take = [&](MemoryItem& item, std::uint64_t prefix) {
            const std::size_t count = claimed.leases.size();
            if (count >= request.count_max) return false;
            if (count > 0 &&
                item.body_bytes > request.body_bytes_max - std::min(bytes, request.body_bytes_max)) {
                return false;
            }
            bytes += item.body_bytes;
            item.head.state = core::ItemState::running;
            item.leased_until = request.now + request.lease_for;
            claimed.leases.push_back({item.head, ++item.epoch, ++item.attempts, *item.leased_until,
                                      stored.body->substr(item.body_offset, item.body_bytes), prefix});
            return true;
        };
        for (MemoryItem& item : stored.items) {
            const bool is_lost = item.head.state == core::ItemState::running &&
                                 (!item.leased_until || *item.leased_until <= request.now);
            if (is_lost && !take(item, 0)) return claimed;
        }
        for (const core::Planned& planned : stored.plan) {
            MemoryItem& item = stored.items[planned.ordinal];
            if (item.head.state != core::ItemState::queued) continue;
            if (!take(item, planned.prefix)) break;
            if (stored.batch.state == core::BatchState::accepted) {
                stored.batch = *core::after_event(stored.batch, core::BatchEvent::started, request.now);
            }
            --stored.batch.counts.queued;
            ++stored.batch.counts.running;
        }
        return claimed;
    }

    Result<std::vector<ItemId>> renew(std::span<const core::Lease> leases, Timestamp until) override {
        const std::scoped_lock lock(state_->mutex);
        std::vector<ItemId> held;
        for (const core::Lease& lease : leases) {
            MemoryItem* const item = find_held(lease.item.id, lease.epoch);
            if (item == nullptr) continue;
            item->leased_until = until;
            held.push_back(lease.item.id);
        }
        return held;
    }

    Result<> release(std::span<const core::Lease> leases) override {
        const std::scoped_lock lock(state_->mutex);
        for (const core::Lease& lease : leases) {
            MemoryItem* const item = find_held(lease.item.id, lease.epoch);
            if (item == nullptr) continue;
            item->leased_until.reset();
            ++item->epoch;
            --item->attempts;
        }
        return {};
    }

    Result<FinishReport> finish(std::span<const ItemResult> results) override {
        const std::scoped_lock lock(state_->mutex);
        FinishReport report;
        for (const ItemResult& result : results) {
            check_state(result);
            MemoryItem* const item = find_held(result.item, result.epoch);
            if (item == nullptr || !may_end(state_->batches.at(result.item.batch).batch, result)) {
                report.recorded.push_back(Recorded::lease_lost);
                continue;
            }
            MemoryBatch& stored = state_->batches.at(result.item.batch);
            core::Batch& batch = stored.batch;
            item->head.state = result.state;
            item->head.finished_at = result.finished_at;
            --batch.counts.running;
            ++batch.counts.of(result.state);
            if (core::has_result(result.state)) {
                item->line = result.line;
                stored.ended.push_back(result.item.ordinal);
                batch.usage += result.usage;
                state_->note_item_ended(batch, result.item.ordinal, result.finished_at);
            }
            if (batch.counts.unfinished() == 0) {
                batch = *core::after_event(batch, core::BatchEvent::drained, result.finished_at);
                state_->note_batch_ended(batch);
                report.ended.push_back(batch);
            }
            report.recorded.push_back(Recorded::yes);
        }
        return report;
    }

private:
    MemoryItem* find_held(const ItemId& id, std::uint32_t epoch) {
        const auto found = state_->batches.find(id.batch);
        if (found == state_->batches.end() || id.ordinal >= found->second.items.size()) return nullptr;
        MemoryItem& item = found->second.items[id.ordinal];
        return item.head.state == core::ItemState::running && item.epoch == epoch ? &item : nullptr;
    }

    MemoryState* state_;
};

}  // namespace

std::unique_ptr<ItemQueue> make_memory_items(MemoryState& state) {
    return std::make_unique<MemoryItems>(state);
}

}  // namespace sheaf::store
