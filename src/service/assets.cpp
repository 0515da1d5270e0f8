#include "service/assets.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "service/uninterrupted.h"

namespace sheaf::service {

IncomingFile::IncomingFile(AssetId id, std::string key, std::unique_ptr<blob::BlobWriter> writer,
                           async::Lane& lane, std::uint64_t bytes_max)
    : id_(id), key_(std::move(key)), writer_(std::move(writer)), lane_(&lane), bytes_max_(bytes_max) {}

async::Task<Result<>> IncomingFile::append(std::string_view bytes) {
    if (bytes.size() > bytes_max_ - bytes_)
        co_return fail(ErrorCode::too_large, "The file is larger than allowed.");
    const auto written = co_await lane_->run([&] { return writer_->append(bytes); });
    if (written) bytes_ += bytes.size();
    co_return written;
}

std::string blob_key_of(AssetId id) {
    return "assets/" + to_string(id);
}

Assets::Assets(Parts parts)
    : parts_(std::move(parts)), started_at_(parts_.clock->now()), behind_(parts_.executor) {}

Assets::~Assets() = default;

async::Task<Result<IncomingFile>> Assets::new_file() {
    const AssetId id = AssetId::make(now());
    std::string key = blob_key_of(id);
    auto writer = co_await parts_.blobs([&](blob::BlobStore& blobs) { return blobs.create(key); });
    if (!writer) co_return std::unexpected(writer.error());
    co_return IncomingFile(id, std::move(key), std::move(*writer), *parts_.lane,
                           parts_.limits.direct_media_bytes_max);
}

async::Task<Result<core::Asset>> Assets::create(AssetRequest request, IncomingFile file) {
    co_return co_await uninterrupted(commit_and_insert(std::move(request), std::move(file)));
}

async::Task<Result<core::Asset>> Assets::commit_and_insert(AssetRequest request, IncomingFile file) {
    const auto committed = co_await parts_.lane->run([&] { return file.writer_->commit(); });
    if (!committed) co_return std::unexpected(committed.error());
    core::Asset asset{.id = file.id_,
                      .account = std::move(request.account),
                      .method = core::AssetMethod::direct,
                      .filename = std::move(request.filename),
                      .blob_key = file.key_,
                      .bytes = file.bytes(),
                      .user_metadata = std::move(request.user_metadata),
                      .wants_hls = request.wants_hls,
                      .wants_thumbnail = request.wants_thumbnail,
                      .created_at = now()};
    const auto inserted = co_await parts_.store([&](store::Assets& store) { return store.insert(asset); });
    if (!inserted) {
        // After any other error the asset may be there in spite of it; if not, its bytes go at the next
        // start.
        if (inserted.error().code == ErrorCode::no_space) co_await forget_bytes(asset.id);
        co_return std::unexpected(inserted.error());
    }
    begin_probe(asset);
    co_return asset;
}

async::Task<Result<core::Asset>> Assets::create_from_url(AssetRequest request, std::string url) {
    const Timestamp created_at = now();
    core::Asset asset{.id = AssetId::make(created_at),
                      .account = std::move(request.account),
                      .method = core::AssetMethod::url,
                      .filename = std::move(request.filename),
                      .source_url = std::move(url),
                      .user_metadata = std::move(request.user_metadata),
                      .wants_hls = request.wants_hls,
                      .wants_thumbnail = request.wants_thumbnail,
                      .created_at = created_at};
    const auto inserted = co_await parts_.store([&](store::Assets& store) { return store.insert(asset); });
    if (!inserted) co_return std::unexpected(inserted.error());
    begin_fetch(asset);
    co_return asset;
}

async::Task<Result<core::Asset>> Assets::find(const AccountId& account, AssetId id) {
    co_return co_await parts_.store([&](store::Assets& store) { return store.find(account, id); });
}

async::Task<Result<std::vector<std::optional<core::Asset>>>> Assets::find_all(const AccountId& account,
                                                                              std::vector<AssetId> ids) {
    co_return co_await parts_.store([&](store::Assets& store) { return store.find_all(account, ids); });
}

async::Task<Result<store::Page<core::Asset>>> Assets::list(store::AssetQuery query) {
    co_return co_await parts_.store([&](store::Assets& store) { return store.list(query); });
}

async::Task<Result<>> Assets::set_user_metadata(const AccountId& account, AssetId id, std::string json) {
    co_return co_await parts_.store(
        [&](store::Assets& store) { return store.set_user_metadata(account, id, json); });
}

async::Task<Result<>> Assets::remove(const AccountId& account, AssetId id, bool force) {
    co_return co_await uninterrupted(remove_all(account, id, force));
}

async::Task<Result<>> Assets::remove_all(AccountId account, AssetId id, bool force) {
    const auto removed = co_await parts_.store(
        [&](store::Assets& store) { return store.remove(account, id, {.force = force}); });
    if (!removed) co_return std::unexpected(removed.error());
    if (removed->method == core::AssetMethod::multipart && removed->state == core::AssetState::processing) {
        const UploadId upload{id.raw};
        const auto ended = co_await parts_.store([&, at = now()](store::Assets& store) {
            return store.end_upload(upload, core::UploadState::failed, at);
        });
        if (!ended && ended.error().code != ErrorCode::conflict &&
            ended.error().code != ErrorCode::not_found) {
            log::warning("the upload of a removed asset was not ended", {{"upload", to_string(upload)}});
        }
        co_await remove_chunks(upload);
    }
    // What is being fetched or assembled right now is removed by whoever does that.
    co_await forget_bytes(id);
    co_return Result<>{};
}

async::Task<void> Assets::forget_bytes(AssetId id) {
    const std::string key = blob_key_of(id);
    const auto removed = co_await parts_.blobs([&](blob::BlobStore& blobs) { return blobs.remove(key); });
    if (!removed) log::warning("bytes stay behind", {{"blob", key}, {"why", removed.error().message}});
}

async::Task<void> Assets::stop() {
    stopping_ = true;
    behind_.stop();
    co_await behind_.wait_until_empty();
    waiting_.clear();
}

}  // namespace sheaf::service
