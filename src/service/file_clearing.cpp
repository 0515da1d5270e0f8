#include <algorithm>
#include <map>
#include <span>

#include "async/timer.h"
#include "base/log.h"
#include "service/files.h"
#include "service/leftovers.h"

// What is over, and what a crash left: bytes that no file and no part refers to.
namespace sheaf::service {
namespace {

constexpr std::string_view kFiles = "files/";
constexpr std::string_view kParts = "parts/";
constexpr std::chrono::milliseconds kClearEvery{60'000};
constexpr std::uint32_t kRowsAtOnce = 100;
constexpr std::size_t kIdsAtOnce = 500;

void warn(std::string_view what, const Error& error) {
    log::warning(what, {{"why", error.message}});
}

}  // namespace

std::string blob_key_of(FileId id) {
    return std::string(kFiles) + to_string(id);
}

std::string blob_key_of(FileUploadId upload, FilePartId part) {
    return std::string(kParts) + to_string(upload) + "/" + to_string(part);
}

async::Task<void> Files::run() {
    while (true) {
        co_await clear();
        co_await async::sleep_for(kClearEvery);
    }
}

async::Task<void> Files::clear() {
    if (!std::exchange(swept_, true)) {
        co_await sweep_files();
        co_await sweep_parts();
    }
    co_await clear_expired_files();
    co_await clear_expired_uploads();
    co_await clear_ended_uploads();
    const auto forgotten =
        co_await parts_.store([at = now()](store::Files& store) { return store.forget_removed(at); });
    if (!forgotten) warn("the places of removed files were not forgotten", forgotten.error());
}

async::Task<void> Files::clear_expired_files() {
    while (true) {
        const Timestamp at = now();
        const auto expired =
            co_await parts_.store([&](store::Files& store) { return store.expired(at, kRowsAtOnce); });
        if (!expired) co_return warn("expired files were not found", expired.error());
        for (const core::File& file : *expired) {
            const auto removed = co_await parts_.store(
                [&](store::Files& store) { return store.remove(file.account, file.id, at); });
            if (!removed && removed.error().code != ErrorCode::not_found)
                co_return warn("an expired file was not removed", removed.error());
            if (!file.blob_key.empty()) (void)co_await forget_bytes(file.blob_key);
            log::info("expired file removed", {{"file", to_string(file.id)}});
        }
        if (expired->size() < kRowsAtOnce) co_return;
    }
}

async::Task<void> Files::clear_expired_uploads() {
    while (true) {
        const auto expired = co_await parts_.store(
            [at = now()](store::Files& store) { return store.expired_uploads(at, kRowsAtOnce); });
        if (!expired) co_return warn("expired uploads were not found", expired.error());
        for (const core::FileUpload& upload : *expired) {
            const auto ended = co_await end_and_drop(upload, core::FileUploadState::expired);
            if (!ended) co_return warn("an upload was not ended", ended.error());
        }
        if (expired->size() < kRowsAtOnce) co_return;
    }
}

// Whose parts could not be removed when they ended.
async::Task<void> Files::clear_ended_uploads() {
    const auto ended =
        co_await parts_.store([](store::Files& store) { return store.ended_with_parts(kRowsAtOnce); });
    if (!ended) co_return warn("ended uploads were not found", ended.error());
    for (const FileUploadId& id : *ended) co_await drop_parts(id);
}

async::Task<void> Files::sweep_files() {
    const auto keys = co_await parts_.blobs([](blob::BlobStore& blobs) { return blobs.list(kFiles); });
    if (!keys) co_return warn("blobs were not listed", keys.error());
    std::vector<FileId> old;
    for (const std::string& key : *keys) {
        if (const auto id = old_id(key, kFiles, started_at_)) old.push_back({*id});
    }
    for (std::size_t first = 0; first < old.size(); first += kIdsAtOnce) {
        const auto some = std::span(old).subspan(first, std::min(kIdsAtOnce, old.size() - first));
        const auto absent = co_await parts_.store([&](store::Files& store) { return store.absent(some); });
        if (!absent) co_return warn("files were not looked up", absent.error());
        for (const FileId& id : *absent) {
            log::info("removing bytes of no file", {{"file", to_string(id)}});
            (void)co_await forget_bytes(blob_key_of(id));
        }
    }
}

async::Task<void> Files::sweep_parts() {
    const auto keys = co_await parts_.blobs([](blob::BlobStore& blobs) { return blobs.list(kParts); });
    if (!keys) co_return warn("blobs were not listed", keys.error());
    std::map<FileUploadId, std::vector<std::string>> old;
    for (const std::string& key : *keys) {
        const auto upload = old_id(key, kParts, started_at_);
        if (!upload || !old_id(key, key.substr(0, kParts.size() + kIdLength + 1), started_at_)) continue;
        old[{*upload}].push_back(key);
    }
    for (const auto& [upload, blobs] : old) {
        const FileUploadId& id = upload;
        const auto parts = co_await parts_.store([&](store::Files& store) { return store.parts(id); });
        if (!parts) co_return warn("parts were not looked up", parts.error());
        for (const std::string& key : blobs) {
            if (std::ranges::find(*parts, key, &core::FilePart::blob_key) != parts->end()) continue;
            log::info("removing bytes of no part", {{"upload", to_string(id)}});
            (void)co_await forget_bytes(key);
        }
    }
}

}  // namespace sheaf::service
