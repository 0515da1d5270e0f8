#pragma once

#include "store/sqlite/database.h"

namespace sheaf::store {

// Copies what can be read of a damaged index into a new one whose tables are empty: each table from both of
// its ends up to what cannot be read, and beyond it. Only an error of the new one is an error.
Result<> salvage_rows(Connection& damaged, Connection& fresh);

}  // namespace sheaf::store
