#include "store/postgres/results_cache.h"

#include <algorithm>

namespace sheaf::store::postgres {

Result<SharedDescriptor> ResultsCache::get(const BatchId& id, std::uint64_t bytes,
                                           const std::function<Result<SharedDescriptor>()>& make) {
    std::uint64_t drops = 0;
    {
        std::unique_lock lock(mutex_);
        made_.wait(lock, [&] { return !being_made_.contains(id); });
        if (auto file = find(id)) return file;
        being_made_.insert(id);
        drops = drops_;
    }
    auto file = make();
    const std::scoped_lock lock(mutex_);
    being_made_.erase(id);
    made_.notify_all();
    // What went meanwhile is not kept.
    if (file && drops == drops_) keep({id, bytes, *file});
    return file;
}

SharedDescriptor ResultsCache::find(const BatchId& id) {
    const auto found = std::ranges::find(files_, id, &Entry::id);
    if (found == files_.end()) return nullptr;
    files_.splice(files_.begin(), files_, found);
    return found->file;
}

void ResultsCache::keep(Entry entry) {
    bytes_ += entry.bytes;
    files_.push_front(std::move(entry));
    while (files_.size() > 1 && (files_.size() > kFilesMax || bytes_ > kBytesMax)) {
        bytes_ -= files_.back().bytes;
        files_.pop_back();
    }
}

void ResultsCache::drop(const BatchId& id) {
    const std::scoped_lock lock(mutex_);
    ++drops_;
    const auto found = std::ranges::find(files_, id, &Entry::id);
    if (found == files_.end()) return;
    bytes_ -= found->bytes;
    files_.erase(found);
}

void ResultsCache::clear() {
    const std::scoped_lock lock(mutex_);
    ++drops_;
    bytes_ = 0;
    files_.clear();
}

}  // namespace sheaf::store::postgres
