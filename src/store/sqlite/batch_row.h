#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/batch.h"
#include "core/item.h"
#include "store/sqlite/database.h"
#include "store/sqlite/segments.h"
#include "store/stored_id.h"

namespace sheaf::store {

// A batch as the index keeps it.
struct BatchRow {
    std::int64_t row = 0;
    core::Batch batch;
    std::uint32_t cursor = 0;  // of one without a plan: items below it were claimed at least once
    std::optional<std::uint32_t> plan_next;    // how much of its plan was claimed; nullopt: it has none
    std::optional<std::int64_t> body_segment;  // of a small body; others have a file of their own
    std::uint64_t body_start = 0;
    std::uint64_t body_bytes = 0;

    std::int64_t first_key() const { return row << 20; }
    std::int64_t end_key() const { return (row + 1) << 20; }
    std::int64_t key(std::uint32_t ordinal) const { return first_key() | ordinal; }
    Place body_place() const { return {body_segment.value_or(0), body_start, body_bytes}; }
};

// An item as the index keeps it.
struct ItemRow {
    core::ItemHead head;
    std::uint64_t body_offset = 0;
    std::uint64_t body_bytes = 0;
    std::uint32_t body_crc = 0;
    std::optional<Place> line;       // in the log, once it succeeded or failed
    std::uint64_t input_tokens = 0;  // the same
    std::uint64_t output_tokens = 0;
};

inline std::uint32_t ordinal_of(std::int64_t key) {
    return static_cast<std::uint32_t>(key & ((1 << 20) - 1));
}

// An id to bind.
class IdBytes {
public:
    explicit IdBytes(const RawId& id) : bytes_(stored_id(id)) {}
    explicit IdBytes(const BatchId& id) : bytes_(stored_id(id)) {}
    template <class Tag>
    explicit IdBytes(const OpaqueId<Tag>& id) : IdBytes(id.raw) {}
    operator Bytes() const { return {{bytes_.data(), bytes_.size()}}; }

private:
    StoredId bytes_;
};

// From the columns of SHEAF_BATCH_COLUMNS and SHEAF_ITEM_COLUMNS (statements.h), `from` being the first.
BatchRow read_batch(const Rows& rows, int from = 0);
ItemRow read_item(const Rows& rows, const BatchId& batch, int from = 0);

// Visits every batch of the index, in the order of its row. No statement is open meanwhile: `visit` may
// write.
Result<> each_batch(Connection& db, const std::function<Result<>(const BatchRow&)>& visit);
Result<std::uint64_t> count_batches(Connection& db);

}  // namespace sheaf::store
