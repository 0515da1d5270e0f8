#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/blocking.h"
#include "async/task_group.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "blob/blob_store.h"
#include "core/asset.h"
#include "fetch/fetch.h"
#include "media/video.h"
#include "service/limits.h"
#include "store/assets.h"

namespace sheaf::service {

// A file on its way in. Dropped before it is handed to create(), it leaves nothing.
class IncomingFile {
public:
    IncomingFile(AssetId id, std::string key, std::unique_ptr<blob::BlobWriter> writer, async::Lane& lane);
    async::Task<Result<>> append(std::string_view bytes);
    std::uint64_t bytes() const { return bytes_; }

private:
    friend class Assets;
    AssetId id_;
    std::string key_;
    std::unique_ptr<blob::BlobWriter> writer_;
    async::Lane* lane_;
    std::uint64_t bytes_ = 0;
};

struct AssetRequest {
    AccountId account;
    std::string filename;
    std::string user_metadata;  // a JSON object as text, or empty
    bool wants_hls = false;
    bool wants_thumbnail = false;
};

struct UploadRequest {
    AssetRequest asset;
    core::MediaType type = core::MediaType::video;
    std::uint64_t total_bytes = 0;
    std::optional<store::IdempotencyRecord> idempotency;
};

// The right to send one chunk without a key: path and query below the server's address.
struct PresignedChunk {
    std::uint32_t index = 0;
    std::string expires_and_signature;  // "expires=1781776800&signature=<hex>"
    Timestamp expires_at;
};

// Uploaded files: in by a direct call, by URL or in chunks; looked into; listed; removed. Belongs to one executor.
//
// A new asset is `processing` and durable when its call returns; the probe runs behind and makes it ready or
// failed. What a crash left in processing is taken up by resume(). Errors as the store's and the blob store's.
class Assets {
public:
    struct Parts {
        async::Executor executor;
        async::Blocking<store::Assets> store;
        async::Blocking<blob::BlobStore> blobs;
        async::Lane* lane = nullptr;        // for files
        async::Lane* fetch_lane = nullptr;  // for URLs
        fetch::Fetcher* fetcher = nullptr;
        media::Media* media = nullptr;
        const Clock* clock = nullptr;
        Limits limits;
        Secret signing_key;  // of presigned chunk URLs; kept over restarts
        // What the dialect keeps of a probe (core::Asset::details).
        std::function<std::string(const media::MediaInfo&, std::uint64_t bytes)> render_details;
        // The same backwards, for those who open the file again.
        std::function<media::MediaInfo(const core::Asset&)> read_details;
    };
    explicit Assets(Parts parts);
    ~Assets();

    const Limits& limits() const { return parts_.limits; }
    Timestamp now() const { return parts_.clock->now(); }

    async::Task<Result<IncomingFile>> new_file();
    async::Task<Result<core::Asset>> create(AssetRequest request, IncomingFile file);
    async::Task<Result<core::Asset>> create_from_url(AssetRequest request, std::string url);
    async::Task<Result<core::Asset>> find(const AccountId& account, AssetId id);
    async::Task<Result<std::vector<std::optional<core::Asset>>>> find_all(const AccountId& account,
                                                                          std::vector<AssetId> ids);
    async::Task<Result<store::Page<core::Asset>>> list(store::AssetQuery query);
    async::Task<Result<>> set_user_metadata(const AccountId& account, AssetId id, std::string json);
    async::Task<Result<>> remove(const AccountId& account, AssetId id, bool force);  // conflict: in use

    // The session and the first URLs.
    async::Task<Result<core::Upload>> open_upload(UploadRequest request, UploadId id);
    async::Task<Result<core::Upload>> find_upload(const AccountId& account, UploadId id);
    async::Task<Result<store::Page<core::Upload>>> list_uploads(const AccountId& account, store::PageRange page);
    async::Task<Result<std::vector<core::UploadChunk>>> upload_chunks(UploadId id);
    PresignedChunk presign(UploadId id, std::uint32_t index) const;
    // denied: wrong or expired.
    Result<> check_presigned(UploadId id, std::uint32_t index, std::string_view expires, std::string_view signature) const;
    // One chunk's bytes, of a checked presigned call. Returns its ETag without quotes.
    async::Task<Result<IncomingFile>> new_chunk(UploadId id, std::uint32_t index);
    async::Task<Result<std::string>> put_chunk(UploadId id, std::uint32_t index, IncomingFile file, std::string md5_hex);
    async::Task<Result<store::ChunkReport>> report_chunks(const AccountId& account, UploadId id,
                                                          std::vector<store::ReportedChunk> reported);

    // Takes up what a crash left: probes, fetches, assemblies; ends sessions past their time. Also run now and then.
    async::Task<void> resume();
    async::Task<void> expire_uploads();
    // Stops probes and fetches under way; they are taken up at the next start.
    async::Task<void> stop();

private:
    async::Task<void> settle(core::Asset asset);        // probe and write down
    async::Task<void> fetch_and_settle(core::Asset asset);
    async::Task<void> assemble_and_settle(core::Upload upload);

    Parts parts_;
    async::TaskGroup behind_;
};

}  // namespace sheaf::service
