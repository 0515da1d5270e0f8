#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "store/sqlite/batch_row.h"

namespace sheaf::store {

// What a transaction made of batches; nullopt: removed.
using BatchChanges = std::unordered_map<BatchId, std::optional<BatchRow>>;

// The batches used last, always in their newest committed state. Threads: any; never blocks for I/O.
class BatchCache {
public:
    explicit BatchCache(std::size_t rows_max) : rows_max_(rows_max) {}

    std::optional<BatchRow> find(const BatchId& id);

    // By the writer, around each commit.
    void commit_begins();
    void commit_ended(const BatchChanges& changes);
    // By the writer, of a row it read itself.
    void put(const BatchRow& row);

    // By readers: a row read from the database between these two is kept only if nothing was committed
    // meanwhile.
    std::uint64_t version() const;
    void put_if_still(std::uint64_t version, const BatchRow& row);

private:
    void put_locked(const BatchRow& row);

    const std::size_t rows_max_;
    mutable std::mutex mutex_;
    std::uint64_t version_ = 0;  // odd while a commit is under way
    std::list<BatchRow> rows_;   // used last first
    std::unordered_map<BatchId, std::list<BatchRow>::iterator> by_id_;
};

}  // namespace sheaf::store
