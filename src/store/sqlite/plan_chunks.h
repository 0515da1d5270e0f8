#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/plan.h"
#include "store/sqlite/batch_row.h"
#include "store/sqlite/writer.h"

namespace sheaf::store {

// A batch's plan lies in chunks, so that a claim reads no more than the part it needs.

Result<> insert_plan(Tx& tx, const BatchRow& row, std::span<const core::Planned> plan);
// At most `count_max` entries from the place `row.plan_next` on; those of one chunk. Empty past the last.
Result<std::vector<core::Planned>> read_plan(Connection& db, const BatchRow& row, std::uint32_t count_max);

}  // namespace sheaf::store
