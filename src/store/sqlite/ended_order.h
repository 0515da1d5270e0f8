#pragma once

#include <cstdint>
#include <span>
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

}  // namespace sheaf::store
