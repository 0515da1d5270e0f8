#pragma once

#include "store/sqlite/database.h"

namespace sheaf::store {

// Copies what can be read of a damaged index into a new one whose tables are empty: each table from both of
// its ends up to what cannot be read, and beyond it. Only an error of the new one is an error.
Result<> salvage_rows(Connection& damaged, Connection& fresh);

// The same of the tables that no record tells of (keys, webhooks, names of uploads), into what a rebuild
// made.
Result<> salvage_what_is_missing(Connection& damaged, Connection& fresh);

}  // namespace sheaf::store
