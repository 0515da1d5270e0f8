#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
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

// A file on its way in. Dropped before it is handed to create() or put_chunk(), it leaves nothing.
class IncomingFile {
public:
    IncomingFile(AssetId id, std::string key, std::unique_ptr<blob::BlobWriter> writer, async::Lane& lane,
                 std::uint64_t bytes_max = std::numeric_limits<std::uint64_t>::max());
    // too_large: with these it would have more than `bytes_max`; they were not taken.
    async::Task<Result<>> append(std::string_view bytes);
    std::uint64_t bytes() const { return bytes_; }

private:
    friend class Assets;
    AssetId id_;
    std::string key_;
    std::unique_ptr<blob::BlobWriter> writer_;
    async::Lane* lane_;
    std::uint64_t bytes_max_;
    std::uint64_t bytes_ = 0;
};

// How large the chunks of an upload are: 5 MiB, or as many whole MiB more as keep it within 2,000 chunks.
std::uint64_t chunk_bytes_for(std::uint64_t total_bytes);

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

// Where the bytes of an asset are, and of a chunk while its upload goes on. A chunk's key names its content,
// so that one that is sent again cannot change what was reported.
std::string blob_key_of(AssetId id);
std::string blob_key_of(UploadId id, std::uint32_t index, std::string_view md5_hex);

// Uploaded files: in by a direct call, by URL or in chunks; looked into; listed; removed. Belongs to one
// executor.
//
// A new asset is `processing` and durable when its call returns; the probe runs behind and makes it ready or
// failed. What a crash left in processing is taken up by resume(). Errors as the store's and the blob
// store's.
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

    // The session, and the asset that it will become: their ids are the same number. too_large: the limit of
    // its type. invalid: no bytes. `id` is made when it is the default one.
    async::Task<Result<core::Upload>> open_upload(UploadRequest request, UploadId id);
    // A session past its time is ended before it is shown.
    async::Task<Result<core::Upload>> find_upload(const AccountId& account, UploadId id);
    async::Task<Result<store::Page<core::Upload>>> list_uploads(const AccountId& account,
                                                                store::PageRange page);
    async::Task<Result<std::vector<core::UploadChunk>>> upload_chunks(UploadId id);
    PresignedChunk presign(UploadId id, std::uint32_t index) const;
    // denied: wrong or expired.
    Result<> check_presigned(UploadId id, std::uint32_t index, std::string_view expires,
                             std::string_view signature) const;
    // One chunk's bytes, of a checked presigned call. put_chunk returns its ETag without quotes. invalid: no
    // such chunk, or not of its size. conflict: the session has ended, the chunk was reported, or it comes in
    // twice at once.
    async::Task<Result<IncomingFile>> new_chunk(UploadId id, std::uint32_t index);
    async::Task<Result<std::string>> put_chunk(UploadId id, std::uint32_t index, IncomingFile file,
                                               std::string md5_hex);
    async::Task<Result<store::ChunkReport>> report_chunks(const AccountId& account, UploadId id,
                                                          std::vector<store::ReportedChunk> reported);

    // Takes up what a crash left: probes, fetches, assemblies; ends sessions past their time. Also run now
    // and then.
    async::Task<void> resume();
    async::Task<void> expire_uploads();
    // Stops probes and fetches under way; they are taken up at the next start.
    async::Task<void> stop();

private:
    // An asset that is being worked on: nobody else takes it up meanwhile.
    class Busy {
    public:
        Busy(Assets& owner, AssetId id) : owner_(&owner), id_(id) {}
        Busy(Busy&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), id_(other.id_) {}
        Busy& operator=(Busy&&) = delete;
        ~Busy() {
            if (owner_ != nullptr) owner_->busy_.erase(id_);
        }

    private:
        Assets* owner_;
        AssetId id_;
    };
    struct Waiting {
        core::Asset asset;
        Busy busy;
    };

    // What is done behind a call. Each step is repeated safely: whatever is left in processing begins again
    // at the next resume().
    std::optional<Busy> take(AssetId id);
    void begin_probe(core::Asset asset);
    void begin_fetch(core::Asset asset);
    void enqueue(Waiting waiting);
    async::Task<void> work_off();
    async::Task<void> settle(core::Asset asset);
    async::Task<std::optional<Result<media::MediaInfo>>> probe(std::shared_ptr<const blob::BlobFile> file);
    std::string why_refused(const core::Asset& asset, const media::MediaInfo& info,
                            std::uint64_t bytes) const;
    async::Task<void> fetch_and_settle(core::Asset asset, Busy busy);
    Result<std::uint64_t> fetch_to_blob(const core::Asset& asset) const;
    async::Task<std::optional<core::Asset>> assemble(core::Asset asset);

    // Changes an asset that is still in processing. conflict: it no longer is.
    async::Task<Result<core::Asset>> change(const core::Asset& asset, std::function<void(core::Asset&)> how);
    async::Task<void> fail_asset(core::Asset asset, std::string why);
    async::Task<void> forget_bytes(AssetId id);

    async::Task<Result<core::Asset>> commit_and_insert(AssetRequest request, IncomingFile file);
    async::Task<Result<>> remove_all(AccountId account, AssetId id, bool force);
    async::Task<Result<core::Upload>> find_open_upload(UploadId id, std::uint32_t index);
    async::Task<Result<std::string>> commit_and_note(UploadId id, std::uint32_t index, IncomingFile file,
                                                     std::string md5_hex);
    async::Task<void> drop_refused_chunk(UploadId id, std::uint32_t index, std::string md5_hex);
    async::Task<void> drop_replaced_chunks(UploadId id, std::uint32_t index, std::string md5_hex);
    async::Task<void> end_upload(core::Upload upload, core::UploadState state, std::string why);
    async::Task<void> remove_chunks(UploadId id);
    async::Task<bool> needs_chunks(UploadId id);
    async::Task<void> resume_one(core::Asset asset);
    async::Task<void> sweep();
    async::Task<void> sweep_assets();
    async::Task<void> sweep_chunks();

    Parts parts_;
    Timestamp started_at_;
    bool swept_ = false;
    std::unordered_set<AssetId> busy_;
    std::deque<Waiting> waiting_;
    std::size_t probers_ = 0;
    // Chunks whose bytes are being put in their place.
    std::set<std::pair<UploadId, std::uint32_t>> putting_;
    // Read by transfers on the fetch lane, which cannot be interrupted otherwise.
    std::atomic<bool> stopping_ = false;
    async::TaskGroup behind_;
};

}  // namespace sheaf::service
