#pragma once

#include <functional>

#include "store/sqlite/database.h"
#include "store/upkeep.h"

namespace sheaf::store {

// All blobs that rows of the index speak of, and need. An error of `visit` ends it.
Result<> each_named_blob(Connection& db, const std::function<Result<>(const NamedBlob&)>& visit);

}  // namespace sheaf::store
