#include <set>

#include "base/log.h"
#include "service/assets.h"
#include "service/leftovers.h"

// What a crash left: work that was under way, and bytes that nobody refers to.
namespace sheaf::service {
namespace {

constexpr std::string_view kAssets = "assets/";
constexpr std::string_view kChunks = "chunks/";
constexpr std::size_t kIdsAtOnce = 500;

}  // namespace

async::Task<void> Assets::resume() {
    if (!std::exchange(swept_, true)) co_await sweep();
    const auto left = co_await parts_.store([](store::Assets& store) { return store.processing(); });
    if (!left) {
        log::warning("assets in processing were not found", {{"why", left.error().message}});
    } else {
        for (const core::Asset& asset : *left) co_await resume_one(asset);
    }
    co_await expire_uploads();
}

async::Task<void> Assets::resume_one(core::Asset asset) {
    if (busy_.contains(asset.id)) co_return;
    if (!asset.blob_key.empty()) co_return begin_probe(std::move(asset));
    if (asset.method == core::AssetMethod::url) co_return begin_fetch(std::move(asset));
    const auto upload = co_await parts_.store(
        [&](store::Assets& store) { return store.find_upload(asset.account, UploadId{asset.id.raw}); });
    if (!upload && upload.error().code != ErrorCode::not_found) co_return;
    if (upload && upload->state == core::UploadState::active) co_return;
    if (upload && upload->state == core::UploadState::completed) co_return begin_probe(std::move(asset));
    const bool is_late = upload && upload->state == core::UploadState::expired;
    co_await fail_asset(asset,
                        is_late ? "The upload was not completed in time." : "The upload was not completed.");
    co_await remove_chunks(UploadId{asset.id.raw});
}

async::Task<void> Assets::sweep() {
    co_await sweep_assets();
    co_await sweep_chunks();
}

async::Task<void> Assets::sweep_assets() {
    const auto keys = co_await parts_.blobs([](blob::BlobStore& blobs) { return blobs.list(kAssets); });
    if (!keys) co_return log::warning("blobs were not listed", {{"why", keys.error().message}});
    std::vector<AssetId> old;
    for (const std::string& key : *keys) {
        if (const auto id = old_id(key, kAssets, started_at_)) old.push_back({*id});
    }
    for (std::size_t first = 0; first < old.size(); first += kIdsAtOnce) {
        const auto some = std::span(old).subspan(first, std::min(kIdsAtOnce, old.size() - first));
        const auto absent = co_await parts_.store([&](store::Assets& store) { return store.absent(some); });
        if (!absent) co_return log::warning("assets were not looked up", {{"why", absent.error().message}});
        for (const AssetId& id : *absent) {
            log::info("removing bytes of no asset", {{"asset", to_string(id)}});
            co_await forget_bytes(id);
        }
    }
}

async::Task<void> Assets::sweep_chunks() {
    const auto keys = co_await parts_.blobs([](blob::BlobStore& blobs) { return blobs.list(kChunks); });
    if (!keys) co_return log::warning("blobs were not listed", {{"why", keys.error().message}});
    std::set<UploadId> uploads;
    for (const std::string& key : *keys) {
        if (const auto id = old_id(key, kChunks, started_at_)) uploads.insert({*id});
    }
    for (const UploadId& id : uploads) {
        if (co_await needs_chunks(id)) continue;
        log::info("removing chunks of no upload", {{"upload", to_string(id)}});
        co_await remove_chunks(id);
    }
}

}  // namespace sheaf::service
