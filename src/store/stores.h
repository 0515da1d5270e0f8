#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "store/store.h"

namespace sheaf::store {

// Keeps everything in memory: for tests. Durable as long as the object lives.
std::unique_ptr<Store> make_memory_store();

struct SqliteOptions {
    std::filesystem::path directory;  // made if absent
    // Take the directory's lock: one server at a time. `sheaf keys` opens it without, beside a server.
    bool exclusive = true;
};
// unavailable: another server holds the directory, or a sync failed.
Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options);

}  // namespace sheaf::store
