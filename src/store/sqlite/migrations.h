#pragma once

#include "base/result.h"
#include "store/sqlite/database.h"

namespace sheaf::store {

// Brings the schema up to date, in one transaction. unavailable: a newer Sheaf wrote it.
Result<> migrate(Connection& connection);

}  // namespace sheaf::store
