#include "store/postgres/postgres_keys.h"

#include "store/postgres/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store::postgres {
Result<> PostgresKeys::insert(const ApiKey& key) {
    const std::string_view hash(reinterpret_cast<const char*>(key.secret_hash.data()),
                                key.secret_hash.size());
    return engine_->pool.write([&](Connection& db) -> Result<> {
        const auto added =
            db.run(sql::kInsertKey, key.id, Text{key.account.name}, hash, key.created_at, key.revoked_at);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) return fail(ErrorCode::conflict, "a key of this id is there already");
        return {};
    });
}

Result<std::optional<ApiKey>> PostgresKeys::find(std::string_view id) {
    return engine_->pool.read([&](Connection& db) -> Result<std::optional<ApiKey>> {
        auto rows = db.query(sql::kFindKey, id);
        if (!rows) return std::unexpected(rows.error());
        if (!rows->next()) return std::nullopt;
        return read_key(*rows);
    });
}

Result<std::vector<ApiKey>> PostgresKeys::list() {
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<ApiKey>> {
        auto rows = db.query(sql::kListKeys);
        if (!rows) return std::unexpected(rows.error());
        std::vector<ApiKey> keys;
        while (rows->next()) keys.push_back(read_key(*rows));
        return keys;
    });
}

Result<> PostgresKeys::revoke(std::string_view id, Timestamp now) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        const auto changed = db.run(sql::kRevokeKey, id, now);
        if (!changed) return std::unexpected(changed.error());
        if (*changed == 0) return fail(ErrorCode::not_found, "there is no such key");
        return {};
    });
}

}  // namespace sheaf::store::postgres
