#include "store/sqlite/migrations.h"

#include <array>

#include <fmt/format.h>

#include "store/sqlite/migrations/0001_initial.h"
#include "store/sqlite/migrations/0002_dialects.h"
#include "store/sqlite/migrations/0003_webhooks.h"
#include "store/sqlite/migrations/0004_plans.h"
#include "store/sqlite/migrations/0005_ended_order.h"
#include "store/sqlite/migrations/0006_records.h"

namespace sheaf::store {
namespace {

// Number n is at place n - 1. Never edit one that was released; add the next.
constexpr std::array kMigrations{migrations::k0001Initial,    migrations::k0002Dialects,
                                 migrations::k0003Webhooks,   migrations::k0004Plans,
                                 migrations::k0005EndedOrder, migrations::k0006Records};

}  // namespace

Result<std::int64_t> schema_version(Connection& connection) {
    auto rows = connection.query("PRAGMA user_version");
    if (!rows) return std::unexpected(rows.error());
    const auto row = rows->next();
    if (!row) return std::unexpected(row.error());
    return rows->number(0);
}

std::int64_t newest_schema() {
    return static_cast<std::int64_t>(kMigrations.size());
}

Result<> migrate(Connection& connection) {
    // Looked at before the write lock is asked for: a server beside us may be writing.
    auto version = schema_version(connection);
    if (!version) return std::unexpected(version.error());
    if (*version == static_cast<std::int64_t>(kMigrations.size())) return {};

    if (const auto begun = connection.execute("BEGIN IMMEDIATE"); !begun) return begun;
    version = schema_version(connection);
    if (!version) return std::unexpected(version.error());
    if (*version > static_cast<std::int64_t>(kMigrations.size())) {
        (void)connection.execute("ROLLBACK");
        return fail(ErrorCode::unavailable,
                    fmt::format("the data directory has schema {}, this program knows {}", *version,
                                kMigrations.size()));
    }
    for (auto at = static_cast<std::size_t>(*version); at < kMigrations.size(); ++at) {
        const std::string stamp = fmt::format("PRAGMA user_version={}", at + 1);
        auto done = connection.execute(kMigrations[at]);
        if (done) done = connection.execute(stamp.c_str());
        if (!done) {
            (void)connection.execute("ROLLBACK");
            return done;
        }
    }
    return connection.execute("COMMIT");
}

}  // namespace sheaf::store
