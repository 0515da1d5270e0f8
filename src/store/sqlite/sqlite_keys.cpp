#include "store/sqlite/sqlite_keys.h"

#include "store/sqlite/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store {
Result<> SqliteKeys::insert(const ApiKey& key) {
    const std::string_view hash(reinterpret_cast<const char*>(key.secret_hash.data()),
                                key.secret_hash.size());
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        const auto added =
            tx.db.run(sql::kInsertKey, key.id, key.account.name, Bytes{hash}, key.created_at, key.revoked_at);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) return fail(ErrorCode::conflict, "a key of this id is there already");
        return {};
    });
}

Result<std::optional<ApiKey>> SqliteKeys::find(std::string_view id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kFindKey, id);
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::nullopt;
    return read_key(*rows);
}

Result<std::vector<ApiKey>> SqliteKeys::list() {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kListKeys);
    if (!rows) return std::unexpected(rows.error());
    std::vector<ApiKey> keys;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return keys;
        keys.push_back(read_key(*rows));
    }
}

Result<> SqliteKeys::revoke(std::string_view id, Timestamp now) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        const auto changed = tx.db.run(sql::kRevokeKey, id, now);
        if (!changed) return std::unexpected(changed.error());
        if (*changed == 0) return fail(ErrorCode::not_found, "there is no such key");
        return {};
    });
}

}  // namespace sheaf::store
