#pragma once

#include "base/result.h"
#include "store/sqlite/database.h"

namespace sheaf::store {

// Brings the schema up to date, in one transaction. unavailable: a newer Sheaf wrote it.
Result<> migrate(Connection& connection);

// How many migrations the index has, and how many there are.
Result<std::int64_t> schema_version(Connection& connection);
std::int64_t newest_schema();

}  // namespace sheaf::store
