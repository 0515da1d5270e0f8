#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/sqlite/batch_row.h"
#include "store/sqlite/writer.h"

namespace sheaf::store {

// The order in which results of a batch became durable lies in chunks, one for each group of results that was
// written: one insert for a group costs the completion of items nothing that can be measured, where a number
// with an index in each item's row would. A chunk is named by the key of the batch with the place of its
// first item, and holds ordinals of five hexadecimal digits each.

// `first`: how many items of the batch had a result before these.
Result<> insert_ended(Tx& tx, const BatchRow& row, std::uint32_t first,
                      std::span<const std::uint32_t> ordinals);
// At most `count_max` ordinals from place `after` on; fewer before a gap, which there should be none.
Result<std::vector<std::uint32_t>> read_ended_ordinals(Connection& db, const BatchRow& row,
                                                       std::uint32_t after, std::uint32_t count_max);

// Whether each item that has a result stands in it once.
Result<bool> is_ended_order_sound(Connection& db, const BatchRow& row);
// Makes it so, within a transaction: what can be read of it stays as it is, `told` is what else is known of
// the order, and the rest follows by time.
Result<> mend_ended_order(Connection& db, const BatchRow& row, std::span<const std::uint32_t> told = {});

std::string pack_ordinals(std::span<const std::uint32_t> ordinals);
void unpack_ordinals(std::string_view packed, std::vector<std::uint32_t>& ordinals);

}  // namespace sheaf::store
