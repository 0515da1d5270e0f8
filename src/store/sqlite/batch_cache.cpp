#include "store/sqlite/batch_cache.h"

namespace sheaf::store {

std::optional<BatchRow> BatchCache::find(const BatchId& id) {
    const std::scoped_lock lock(mutex_);
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return std::nullopt;
    rows_.splice(rows_.begin(), rows_, found->second);
    return *found->second;
}

void BatchCache::commit_begins() {
    const std::scoped_lock lock(mutex_);
    ++version_;
}

void BatchCache::commit_ended(const BatchChanges& changes) {
    const std::scoped_lock lock(mutex_);
    ++version_;
    for (const auto& [id, row] : changes) {
        if (row) {
            put_locked(*row);
        } else if (const auto found = by_id_.find(id); found != by_id_.end()) {
            rows_.erase(found->second);
            by_id_.erase(found);
        }
    }
}

void BatchCache::put(const BatchRow& row) {
    const std::scoped_lock lock(mutex_);
    put_locked(row);
}

std::uint64_t BatchCache::version() const {
    const std::scoped_lock lock(mutex_);
    return version_;
}

void BatchCache::put_if_still(std::uint64_t version, const BatchRow& row) {
    const std::scoped_lock lock(mutex_);
    if (version == version_ && version % 2 == 0) put_locked(row);
}

void BatchCache::put_locked(const BatchRow& row) {
    if (const auto found = by_id_.find(row.batch.id); found != by_id_.end()) {
        *found->second = row;
        rows_.splice(rows_.begin(), rows_, found->second);
        return;
    }
    rows_.push_front(row);
    by_id_[row.batch.id] = rows_.begin();
    if (rows_.size() > rows_max_) {
        by_id_.erase(rows_.back().batch.id);
        rows_.pop_back();
    }
}

}  // namespace sheaf::store
