#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/item.h"
#include "store/postgres/connection.h"
#include "store/stored_id.h"

namespace sheaf::store::postgres {

// A batch as the database keeps it.
struct BatchRow {
    std::int64_t number = 0;  // in the order of creation
    core::Batch batch;
    std::uint32_t cursor = 0;      // items from this position on are queued
    bool succeeded_first = false;  // how its lines were laid out
    std::optional<Timestamp> leases_end_at;
};

// An id to send.
inline std::string id_bytes(const RawId& id) {
    const StoredId bytes = stored_id(id);
    return {bytes.data(), bytes.size()};
}
inline std::string id_bytes(const BatchId& id) {
    return id_bytes(RawId{id.seconds, id.random, 0});
}
template <class Tag>
std::string id_bytes(const OpaqueId<Tag>& id) {
    return id_bytes(id.raw);
}
template <class Id>
std::optional<std::string> id_bytes(const std::optional<Id>& id) {
    if (!id) return std::nullopt;
    return id_bytes(*id);
}
template <class Range>
std::vector<std::string> all_id_bytes(const Range& ids) {
    std::vector<std::string> all;
    for (const auto& id : ids) all.push_back(id_bytes(id));
    return all;
}

// From the columns of SHEAF_PG_BATCH_COLUMNS and SHEAF_PG_ITEM_COLUMNS (statements.h), `from` being the
// first.
BatchRow read_batch(const Rows& rows, int from = 0);
core::ItemHead read_item(const Rows& rows, const BatchId& batch, int from = 0);

// not_found: there is none of that id.
Result<BatchRow> find_batch(Connection& db, const BatchId& id);
// The same for a change: nobody else changes it until the transaction has ended.
Result<BatchRow> hold_batch(Connection& db, const BatchId& id);
// Queues: stores what may change in a batch.
void update_batch(Connection& db, const BatchRow& row);

}  // namespace sheaf::store::postgres
