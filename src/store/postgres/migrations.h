#pragma once

#include "base/result.h"
#include "store/postgres/pool.h"

namespace sheaf::store::postgres {

// Brings the schema up to date, in one transaction; of several that try at once, one does. unavailable: a
// newer Sheaf wrote it.
Result<> migrate(Pool& pool);

}  // namespace sheaf::store::postgres
