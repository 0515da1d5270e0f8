#include "store/postgres/migrations.h"

#include <array>

#include <fmt/format.h>

#include "store/postgres/migrations/0001_initial.h"
#include "store/postgres/migrations/0002_claims.h"
#include "store/postgres/migrations/0003_ended_order.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

// Number n is at place n - 1. Never edit one that was released; add the next.
constexpr std::array kMigrations{migrations::k0001Initial, migrations::k0002Claims,
                                 migrations::k0003EndedOrder};
constexpr const char* kVersions = "CREATE TABLE IF NOT EXISTS sheaf_schema(version integer PRIMARY KEY)";

Result<std::int64_t> number_of(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    return rows->next() ? rows->number(0) : 0;
}

Result<std::int64_t> schema_version(Connection& db) {
    const auto has_versions = number_of(db.query(sql::kHasVersions));
    if (!has_versions || *has_versions == 0) return has_versions;
    return number_of(db.query(sql::kSchemaVersion));
}

Result<> bring_up_to_date(Connection& db) {
    if (const auto locked = db.query(sql::kLockSchema); !locked) return std::unexpected(locked.error());
    // Not by looking first: what we knew of the tables may be from before the lock was ours.
    if (const auto made = db.execute(kVersions); !made) return made;
    const auto version = number_of(db.query(sql::kSchemaVersion));
    if (!version) return std::unexpected(version.error());
    if (*version > static_cast<std::int64_t>(kMigrations.size())) {
        return fail(ErrorCode::unavailable, fmt::format("the database has schema {}, this program knows {}",
                                                        *version, kMigrations.size()));
    }
    for (auto at = static_cast<std::size_t>(*version); at < kMigrations.size(); ++at) {
        if (const auto done = db.execute(kMigrations[at]); !done) return done;
        if (const auto stamped = db.run(sql::kStampVersion, at + 1); !stamped)
            return std::unexpected(stamped.error());
    }
    return {};
}

}  // namespace

Result<> migrate(Pool& pool) {
    // Looked at before the lock is asked for: this is so at almost every start.
    const auto version = pool.read(schema_version);
    if (!version) return std::unexpected(version.error());
    if (*version == static_cast<std::int64_t>(kMigrations.size())) return {};
    return pool.write(bring_up_to_date);
}

}  // namespace sheaf::store::postgres
