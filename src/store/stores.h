#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "base/secret.h"
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

struct PostgresOptions {
    Secret url;  // postgres://USER:PASSWORD@HOST:PORT/DATABASE?..., as libpq takes it
    // Of this node alone; made if absent. What comes in and goes out lies there for a while.
    std::filesystem::path directory;
    // A node. `sheaf keys` opens it without, beside servers: then `directory` is not used.
    bool exclusive = true;
};
// Any number of nodes may share one database. unavailable: the server does not answer, or another node holds
// the directory.
Result<std::unique_ptr<Store>> open_postgres_store(const PostgresOptions& options);

}  // namespace sheaf::store
