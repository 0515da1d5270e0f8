#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/batch.h"
#include "core/item.h"
#include "store/sqlite/database.h"
#include "store/sqlite/segments.h"

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
    std::optional<Place> line;  // in the log, once it succeeded or failed
};

inline std::uint32_t ordinal_of(std::int64_t key) {
    return static_cast<std::uint32_t>(key & ((1 << 20) - 1));
}

// Ids as 12 bytes, big endian: they sort as in core.
class IdBytes {
public:
    explicit IdBytes(const RawId& id);
    explicit IdBytes(const BatchId& id) : IdBytes(RawId{id.seconds, id.random, 0}) {}
    template <class Tag>
    explicit IdBytes(const OpaqueId<Tag>& id) : IdBytes(id.raw) {}
    operator Bytes() const { return {{bytes_, sizeof bytes_}}; }

private:
    char bytes_[12];
};
RawId raw_id(std::string_view bytes);

// A number for "this account's items about this subject", or nullopt for an empty subject. It may collide:
// the text decides.
std::optional<std::int64_t> subject_key(const AccountId& account, const core::Subject& subject);
// A number for "this batch's item of this name". It may collide: the text decides.
std::int64_t name_key(const BatchId& batch, std::string_view custom_id);

// From the columns of SHEAF_BATCH_COLUMNS and SHEAF_ITEM_COLUMNS (statements.h), `from` being the first.
BatchRow read_batch(const Rows& rows, int from = 0);
ItemRow read_item(const Rows& rows, const BatchId& batch, int from = 0);

}  // namespace sheaf::store
