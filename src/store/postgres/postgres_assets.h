#pragma once

#include "store/assets.h"
#include "store/postgres/engine.h"

namespace sheaf::store::postgres {

// An asset in processing belongs to the node that works on it: of several, one fetches and probes it.
class PostgresAssets final : public Assets {
public:
    explicit PostgresAssets(Engine& engine) : engine_(&engine) {}

    // postgres_assets.cpp
    Result<> insert(const core::Asset& asset) override;
    Result<core::Asset> find(const AccountId& account, const AssetId& id) override;
    Result<std::vector<std::optional<core::Asset>>> find_all(const AccountId& account,
                                                             std::span<const AssetId> ids) override;
    Result<Page<core::Asset>> list(const AssetQuery& query) override;
    Result<> update(const core::Asset& asset, core::AssetState expected) override;
    Result<> set_user_metadata(const AccountId& account, const AssetId& id, const std::string& json) override;
    Result<core::Asset> remove(const AccountId& account, const AssetId& id, Removal how) override;
    Result<std::vector<core::Asset>> processing() override;
    Result<std::vector<AssetId>> absent(std::span<const AssetId> ids) override;

    // postgres_uploads.cpp
    Result<> insert_upload(const core::Upload& upload, const core::Asset& asset,
                           const std::optional<IdempotencyRecord>& idempotency) override;
    Result<core::Upload> find_upload(const AccountId& account, const UploadId& id) override;
    Result<core::Upload> find_upload(const UploadId& id) override;
    Result<Page<core::Upload>> list_uploads(const AccountId& account, Timestamp now,
                                            PageRange range) override;
    Result<> put_chunk(const UploadId& id, const core::UploadChunk& chunk) override;
    Result<std::vector<core::UploadChunk>> chunks(const UploadId& id) override;
    Result<ChunkReport> report_chunks(const AccountId& account, const UploadId& id,
                                      std::span<const ReportedChunk> reported, Timestamp now) override;
    Result<> end_upload(const UploadId& id, core::UploadState state, Timestamp now) override;
    Result<std::vector<core::Upload>> expired_uploads(Timestamp now) override;

private:
    Engine* engine_;
};

// conflict: an asset of this id is there already.
Result<> insert_asset(Connection& db, const core::Asset& asset, const std::string& node);

}  // namespace sheaf::store::postgres
