#pragma once

#include <memory>

#include "store/sqlite/disk.h"
#include "store/stores.h"

namespace sheaf::store {

// As open_sqlite_store, on a disk that tests may make fail.
Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options, std::unique_ptr<Disk> disk);

}  // namespace sheaf::store
