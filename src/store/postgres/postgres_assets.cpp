#include "store/postgres/postgres_assets.h"

#include <algorithm>
#include <map>
#include <set>

#include "store/postgres/batch_row.h"
#include "store/postgres/postgres_batches.h"
#include "store/postgres/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store::postgres {
namespace {

Error no_asset() {
    return {ErrorCode::not_found, "there is no such asset", {}};
}

Result<core::Asset> one_asset(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    if (!rows->next()) return std::unexpected(no_asset());
    return read_asset(*rows);
}

Result<std::vector<core::Asset>> all_assets(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::Asset> assets;
    while (rows->next()) assets.push_back(read_asset(*rows));
    return assets;
}

// ASCII only.
std::string lower(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lowered;
}

}  // namespace

Result<> insert_asset(Connection& db, const core::Asset& asset, const std::string& node) {
    const auto added =
        db.run(sql::kInsertAsset, id_bytes(asset.id), Text{asset.account.name}, asset.method, asset.state,
               asset.filename, asset.source_url, asset.blob_key, asset.bytes, asset.type, asset.mime_type,
               asset.duration_s, asset.details, asset.user_metadata, asset.error, asset.wants_hls,
               asset.wants_thumbnail, asset.created_at, lower(asset.filename), node);
    if (!added) return std::unexpected(added.error());
    if (*added == 0) return fail(ErrorCode::conflict, "an asset of this id is there already");
    return {};
}

Result<> PostgresAssets::insert(const core::Asset& asset) {
    return engine_->pool.write([&](Connection& db) { return insert_asset(db, asset, engine_->node); });
}

Result<core::Asset> PostgresAssets::find(const AccountId& account, const AssetId& id) {
    return engine_->pool.read([&](Connection& db) {
        return one_asset(db.query(sql::kFindAsset, id_bytes(id), Text{account.name}));
    });
}

Result<std::vector<std::optional<core::Asset>>> PostgresAssets::find_all(const AccountId& account,
                                                                         std::span<const AssetId> ids) {
    auto found = engine_->pool.read([&](Connection& db) {
        return all_assets(db.query(sql::kFindAssets, all_id_bytes(ids), Text{account.name}));
    });
    if (!found) return std::unexpected(found.error());
    std::map<AssetId, const core::Asset*> by_id;
    for (const core::Asset& asset : *found) by_id.emplace(asset.id, &asset);
    std::vector<std::optional<core::Asset>> assets;
    for (const AssetId& id : ids) {
        const auto at = by_id.find(id);
        assets.push_back(at == by_id.end() ? std::nullopt : std::optional(*at->second));
    }
    return assets;
}

Result<Page<core::Asset>> PostgresAssets::list(const AssetQuery& query) {
    std::uint32_t types = query.types.empty() ? ~0U : 0;
    for (const core::MediaType type : query.types) types |= 1U << static_cast<unsigned>(type);
    std::optional<std::vector<std::string>> ids;
    if (!query.ids.empty()) ids = all_id_bytes(query.ids);
    const std::string part = lower(query.filename_part);
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<Page<core::Asset>> {
        Page<core::Asset> page;
        auto counted = db.query(sql::kCountAssets, Text{query.account.name}, types, ids, part);
        if (!counted) return std::unexpected(counted.error());
        (void)counted->next();
        page.total = counted->as<std::uint64_t>(0);
        auto rows = all_assets(db.query(sql::kListAssets, Text{query.account.name}, types, ids, part,
                                        query.page.count, query.page.offset));
        if (!rows) return std::unexpected(rows.error());
        page.rows = std::move(*rows);
        return page;
    });
}

Result<> PostgresAssets::update(const core::Asset& asset, core::AssetState expected) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        const auto stored =
            one_asset(db.query(sql::kHoldAsset, id_bytes(asset.id), Text{asset.account.name}));
        if (!stored) return std::unexpected(stored.error());
        if (stored->state != expected) return fail(ErrorCode::conflict, "the asset is in another state");
        db.queue(sql::kUpdateAsset, id_bytes(asset.id), Text{asset.account.name}, asset.method, asset.state,
                 asset.filename, asset.source_url, asset.blob_key, asset.bytes, asset.type, asset.mime_type,
                 asset.duration_s, asset.details, asset.error, asset.wants_hls, asset.wants_thumbnail,
                 lower(asset.filename), engine_->node);
        return {};
    });
}

Result<> PostgresAssets::set_user_metadata(const AccountId& account, const AssetId& id,
                                           const std::string& json) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        const auto changed = db.run(sql::kSetUserMetadata, id_bytes(id), Text{account.name}, json);
        if (!changed) return std::unexpected(changed.error());
        if (*changed == 0) return std::unexpected(no_asset());
        return {};
    });
}

Result<core::Asset> PostgresAssets::remove(const AccountId& account, const AssetId& id, Removal how) {
    return engine_->pool.write([&](Connection& db) -> Result<core::Asset> {
        auto asset = one_asset(db.query(sql::kHoldAsset, id_bytes(id), Text{account.name}));
        if (!asset) return asset;
        if (!how.force) {
            const auto referring = count_unfinished_about(db, account, core::Subject::asset(id));
            if (!referring) return std::unexpected(referring.error());
            if (*referring > 0) return fail(ErrorCode::conflict, "unfinished items refer to the asset");
        }
        db.queue(sql::kDeleteChunksOfAsset, id_bytes(id));
        db.queue(sql::kDeleteUploadsOfAsset, id_bytes(id));
        db.queue(sql::kDeleteAsset, id_bytes(id));
        return asset;
    });
}

Result<std::vector<core::Asset>> PostgresAssets::processing() {
    auto assets = engine_->pool.write(
        [&](Connection& db) { return all_assets(db.query(sql::kTakeProcessingAssets, engine_->node)); },
        Durability::lazy);
    if (assets) std::ranges::sort(*assets, {}, &core::Asset::created_at);
    return assets;
}

Result<std::vector<AssetId>> PostgresAssets::absent(std::span<const AssetId> ids) {
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<AssetId>> {
        auto rows = db.query(sql::kHasAssets, all_id_bytes(ids));
        if (!rows) return std::unexpected(rows.error());
        std::set<AssetId> there;
        while (rows->next()) there.insert({raw_id(rows->bytes(0))});
        std::vector<AssetId> absent;
        for (const AssetId& id : ids) {
            if (!there.contains(id)) absent.push_back(id);
        }
        return absent;
    });
}

}  // namespace sheaf::store::postgres
