#include "store/sqlite/sqlite_assets.h"

#include <algorithm>

#include "store/sqlite/json_array.h"
#include "store/sqlite/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store {
namespace {

Error no_asset() {
    return {ErrorCode::not_found, "there is no such asset", {}};
}

Result<core::Asset> find_in(Connection& db, const AccountId& account, const AssetId& id) {
    auto rows = db.query(sql::kFindAsset, IdBytes(id), account.name);
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected(no_asset());
    return read_asset(*rows);
}

// As SQLite's lower(): ASCII only.
std::string lower(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lowered;
}

std::string upper_hex(const AssetId& id) {
    std::string hex = to_string(id);
    for (char& c : hex) {
        if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
    }
    return hex;
}

Result<std::uint64_t> count_unfinished(Connection& db, const AccountId& account,
                                       const core::Subject& subject) {
    auto rows =
        db.query(sql::kCountUnfinishedAbout, subject_key(account, subject), subject.text, account.name);
    if (!rows) return std::unexpected(rows.error());
    if (const auto more = rows->next(); !more) return std::unexpected(more.error());
    return rows->as<std::uint64_t>(0);
}

}  // namespace

Result<> insert_asset(Connection& db, const core::Asset& asset) {
    const auto added =
        db.run(sql::kInsertAsset, IdBytes(asset.id), asset.account.name, asset.method, asset.state,
               asset.filename, asset.source_url, asset.blob_key, asset.bytes, asset.type, asset.mime_type,
               asset.duration_s, asset.details, asset.user_metadata, asset.error, asset.wants_hls,
               asset.wants_thumbnail, asset.created_at);
    if (!added) return std::unexpected(added.error());
    if (*added == 0) return fail(ErrorCode::conflict, "an asset of this id is there already");
    return {};
}

Result<> SqliteAssets::insert(const core::Asset& asset) {
    return engine_->writer.run([&](Tx& tx) { return insert_asset(tx.db, asset); });
}

Result<core::Asset> SqliteAssets::find(const AccountId& account, const AssetId& id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    return find_in(snapshot->db(), account, id);
}

Result<std::vector<std::optional<core::Asset>>> SqliteAssets::find_all(const AccountId& account,
                                                                       std::span<const AssetId> ids) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    std::vector<std::optional<core::Asset>> assets;
    for (const AssetId& id : ids) {
        auto asset = find_in(snapshot->db(), account, id);
        if (asset) {
            assets.emplace_back(std::move(*asset));
        } else if (asset.error().code == ErrorCode::not_found) {
            assets.emplace_back(std::nullopt);
        } else {
            return std::unexpected(asset.error());
        }
    }
    return assets;
}

Result<Page<core::Asset>> SqliteAssets::list(const AssetQuery& query) {
    std::uint32_t types = query.types.empty() ? ~0U : 0;
    for (const core::MediaType type : query.types) types |= 1U << static_cast<unsigned>(type);
    std::optional<std::string> ids;
    if (!query.ids.empty()) {
        std::vector<std::string> texts;
        std::ranges::transform(query.ids, std::back_inserter(texts), upper_hex);
        ids = json_array(texts);
    }
    const std::string part = lower(query.filename_part);

    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    Page<core::Asset> page;
    auto counted = snapshot->db().query(sql::kCountAssets, query.account.name, types, ids, part);
    if (!counted) return std::unexpected(counted.error());
    if (const auto more = counted->next(); !more) return std::unexpected(more.error());
    page.total = counted->as<std::uint64_t>(0);
    auto rows = snapshot->db().query(sql::kListAssets, query.account.name, types, ids, part, query.page.count,
                                     query.page.offset);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return page;
        page.rows.push_back(read_asset(*rows));
    }
}

Result<> SqliteAssets::update(const core::Asset& asset, core::AssetState expected) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        const auto stored = find_in(tx.db, asset.account, asset.id);
        if (!stored) return std::unexpected(stored.error());
        if (stored->state != expected) return fail(ErrorCode::conflict, "the asset is in another state");
        const auto changed = tx.db.run(sql::kUpdateAsset, IdBytes(asset.id), asset.account.name, asset.method,
                                       asset.state, asset.filename, asset.source_url, asset.blob_key,
                                       asset.bytes, asset.type, asset.mime_type, asset.duration_s,
                                       asset.details, asset.error, asset.wants_hls, asset.wants_thumbnail);
        if (!changed) return std::unexpected(changed.error());
        return {};
    });
}

Result<> SqliteAssets::set_user_metadata(const AccountId& account, const AssetId& id,
                                         const std::string& json) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        const auto changed = tx.db.run(sql::kSetUserMetadata, IdBytes(id), account.name, json);
        if (!changed) return std::unexpected(changed.error());
        if (*changed == 0) return std::unexpected(no_asset());
        return {};
    });
}

Result<core::Asset> SqliteAssets::remove(const AccountId& account, const AssetId& id, Removal how) {
    return engine_->writer.run([&](Tx& tx) -> Result<core::Asset> {
        auto asset = find_in(tx.db, account, id);
        if (!asset) return asset;
        if (!how.force) {
            const auto referring = count_unfinished(tx.db, account, core::Subject::asset(id));
            if (!referring) return std::unexpected(referring.error());
            if (*referring > 0) return fail(ErrorCode::conflict, "unfinished items refer to the asset");
        }
        auto gone = tx.db.run(sql::kDeleteChunksOfAsset, IdBytes(id));
        if (gone) gone = tx.db.run(sql::kDeleteUploadsOfAsset, IdBytes(id));
        if (gone) gone = tx.db.run(sql::kDeleteAsset, IdBytes(id));
        if (!gone) return std::unexpected(gone.error());
        tx.erased();
        return asset;
    });
}

Result<std::vector<core::Asset>> SqliteAssets::processing() {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kProcessingAssets);
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::Asset> assets;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return assets;
        assets.push_back(read_asset(*rows));
    }
}

Result<std::vector<AssetId>> SqliteAssets::absent(std::span<const AssetId> ids) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    std::vector<AssetId> missing;
    for (const AssetId& id : ids) {
        auto rows = snapshot->db().query(sql::kHasAsset, IdBytes(id));
        if (!rows) return std::unexpected(rows.error());
        const auto there = rows->next();
        if (!there) return std::unexpected(there.error());
        if (!*there) missing.push_back(id);
    }
    return missing;
}

}  // namespace sheaf::store
