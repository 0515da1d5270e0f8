#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/asset.h"
#include "store/batches.h"

namespace sheaf::store {

struct AssetQuery {
    AccountId account;
    std::vector<AssetId> ids;            // any of them; empty for all
    std::vector<core::MediaType> types;  // any of them; empty for all
    std::string filename_part;           // case-insensitive substring, or empty
    PageRange page;
};

struct ReportedChunk {
    std::uint32_t index = 0;
    std::uint64_t bytes = 0;
    std::string etag;
};

struct ChunkReport {
    std::uint32_t processed = 0;   // newly accepted by this call
    std::uint32_t duplicates = 0;  // accepted before
    core::Upload upload;           // as it is now; completed once every chunk was reported
};

// Uploaded files and upload sessions: the index, not the bytes (those are in the blob store).
//
// Methods are transactions, block, may be called from any thread, and fail as Batches' do.
class Assets {
public:
    virtual ~Assets() = default;

    virtual Result<> insert(const core::Asset& asset) = 0;
    virtual Result<core::Asset> find(const AccountId& account, const AssetId& id) = 0;
    // In the order asked; an absent one is nullopt. For a create that refers to many.
    virtual Result<std::vector<std::optional<core::Asset>>> find_all(const AccountId& account,
                                                                     std::span<const AssetId> ids) = 0;
    // Newest first; ties by the larger id.
    virtual Result<Page<core::Asset>> list(const AssetQuery& query) = 0;
    // Replaces all but id, account, created_at and user_metadata (which its owner may be setting), if the
    // stored asset is still in state `expected`; conflict when it is not, not_found when it is gone.
    virtual Result<> update(const core::Asset& asset, core::AssetState expected) = 0;
    virtual Result<> set_user_metadata(const AccountId& account, const AssetId& id,
                                       const std::string& json) = 0;
    // Removes the asset if fewer than one unfinished item refers to it, or `force`. conflict: it is referred
    // to. Returns what was removed, so that its bytes can be.
    struct Removal {
        bool force = false;
    };
    virtual Result<core::Asset> remove(const AccountId& account, const AssetId& id, Removal how) = 0;
    // In state processing, of all accounts: what a crash left to probe or fetch.
    virtual Result<std::vector<core::Asset>> processing() = 0;

    // Those of `ids` that no asset of any account has: at a start, whose bytes a crash left behind.
    virtual Result<std::vector<AssetId>> absent(std::span<const AssetId> ids) = 0;

    // Inserts the session together with the asset it will become.
    virtual Result<> insert_upload(const core::Upload& upload, const core::Asset& asset,
                                   const std::optional<IdempotencyRecord>& idempotency) = 0;
    virtual Result<core::Upload> find_upload(const AccountId& account, const UploadId& id) = 0;
    // For a presigned PUT, which carries no account.
    virtual Result<core::Upload> find_upload(const UploadId& id) = 0;
    // Active and not expired at `now`, newest first.
    virtual Result<Page<core::Upload>> list_uploads(const AccountId& account, Timestamp now,
                                                    PageRange page) = 0;
    // Notes that a chunk's bytes are stored; a repeated one replaces the earlier. conflict: it was reported
    // already, or the session is no longer active.
    virtual Result<> put_chunk(const UploadId& id, const core::UploadChunk& chunk) = 0;
    // Those that were put, by index.
    virtual Result<std::vector<core::UploadChunk>> chunks(const UploadId& id) = 0;
    // Accepts the chunks, all or none: invalid (with the field `completed_chunks[i]`) when one was never put
    // or differs from what was. The session completes with the last one.
    virtual Result<ChunkReport> report_chunks(const AccountId& account, const UploadId& id,
                                              std::span<const ReportedChunk> reported, Timestamp now) = 0;
    virtual Result<> end_upload(const UploadId& id, core::UploadState state, Timestamp now) = 0;
    // Active sessions past their time, of all accounts.
    virtual Result<std::vector<core::Upload>> expired_uploads(Timestamp now) = 0;
};

}  // namespace sheaf::store
