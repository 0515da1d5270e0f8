#include <fmt/format.h>

#include "async/timer.h"
#include "base/log.h"
#include "service/assets.h"

// What happens to an asset behind the call that made it.
namespace sheaf::service {
namespace {

// Each holds a file open while it waits for the media workers.
constexpr std::size_t kProbersMax = 8;
constexpr int kProbesMax = 3;
constexpr std::chrono::seconds kProbeAgainAfter{2};

constexpr std::string_view kNotExamined = "The server could not look into the file. Upload it again.";

// Whether the failure is of the file, and not of the machinery that looked into it.
bool is_of_the_file(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid:
        case ErrorCode::too_large:
        case ErrorCode::timed_out:
        case ErrorCode::corrupt:
            return true;
        case ErrorCode::not_found:
        case ErrorCode::conflict:
        case ErrorCode::exhausted:
        case ErrorCode::denied:
        case ErrorCode::no_space:
        case ErrorCode::unavailable:
        case ErrorCode::canceled:
        case ErrorCode::internal:
            return false;
    }
    return false;
}

// Whether an asset is out of our hands: it was removed, or somebody settled it.
bool is_gone(const Error& error) {
    return error.code == ErrorCode::not_found || error.code == ErrorCode::conflict;
}

void log_left(const core::Asset& asset, const Error& error) {
    log::warning("an asset stays in processing for now",
                 {{"asset", to_string(asset.id)}, {"why", error.message}});
}

}  // namespace

std::optional<Assets::Busy> Assets::take(AssetId id) {
    if (stopping_ || !busy_.insert(id).second) return std::nullopt;
    return Busy(*this, id);
}

void Assets::begin_probe(core::Asset asset) {
    if (auto busy = take(asset.id)) enqueue({.asset = std::move(asset), .busy = std::move(*busy)});
}

void Assets::begin_fetch(core::Asset asset) {
    if (auto busy = take(asset.id)) behind_.spawn(fetch_and_settle(std::move(asset), std::move(*busy)));
}

void Assets::enqueue(Waiting waiting) {
    if (stopping_) return;
    waiting_.push_back(std::move(waiting));
    if (probers_ >= kProbersMax) return;
    ++probers_;
    behind_.spawn(work_off());
}

async::Task<void> Assets::work_off() {
    struct Leave {
        std::size_t& count;
        ~Leave() { --count; }
    };
    const Leave leave{probers_};
    while (!waiting_.empty()) {
        const Waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        co_await settle(next.asset);
    }
}

async::Task<void> Assets::settle(core::Asset asset) {
    if (asset.blob_key.empty()) {
        auto assembled = co_await assemble(asset);
        if (!assembled) co_return;
        asset = std::move(*assembled);
    }
    auto opened = co_await parts_.blobs([&](blob::BlobStore& blobs) { return blobs.open(asset.blob_key); });
    if (!opened && opened.error().code == ErrorCode::not_found)
        co_return co_await fail_asset(asset, "The file's bytes are no longer there. Upload it again.");
    const bool is_damaged = opened ? asset.bytes != 0 && asset.bytes != opened->bytes()
                                   : opened.error().code == ErrorCode::corrupt;
    if (is_damaged) co_return co_await fail_asset(asset, "The file's bytes are damaged. Upload it again.");
    if (!opened) co_return log_left(asset, opened.error());
    const std::uint64_t bytes = opened->bytes();
    const auto probed = co_await probe(std::make_shared<const blob::BlobFile>(std::move(*opened)));
    if (!probed) co_return co_await fail_asset(asset, std::string(kNotExamined));
    if (!*probed) co_return co_await fail_asset(asset, probed->error().message);

    const media::MediaInfo& info = **probed;
    if (std::string why = why_refused(asset, info, bytes); !why.empty()) {
        co_return co_await fail_asset(asset, std::move(why));
    }
    const auto ready = co_await change(asset, [&](core::Asset& now) {
        now.state = core::AssetState::ready;
        now.bytes = bytes;
        now.type = info.type;
        now.mime_type = info.mime_type;
        now.duration_s = info.duration_s;
        now.details = parts_.render_details ? parts_.render_details(info, bytes) : std::string();
        now.error.clear();
    });
    if (ready) {
        log::info("asset ready",
                  {{"asset", to_string(asset.id)}, {"type", info.mime_type}, {"bytes", bytes}});
    } else if (ready.error().code == ErrorCode::not_found) {
        co_await forget_bytes(asset.id);
    } else if (!is_gone(ready.error())) {
        log_left(asset, ready.error());
    }
}

// Nothing: the machinery failed again and again.
async::Task<std::optional<Result<media::MediaInfo>>> Assets::probe(
    std::shared_ptr<const blob::BlobFile> file) {
    for (int tries = 1;; ++tries) {
        auto info = co_await parts_.media->probe(file);
        if (info || is_of_the_file(info.error().code)) co_return info;
        log::warning("a probe failed", {{"try", tries}, {"why", info.error().message}});
        if (tries == kProbesMax) co_return std::nullopt;
        co_await async::sleep_for(kProbeAgainAfter * tries);
    }
}

std::string Assets::why_refused(const core::Asset& asset, const media::MediaInfo& info,
                                std::uint64_t bytes) const {
    const Limits& limits = parts_.limits;
    if (info.type == core::MediaType::unknown)
        return "The file is no video, audio or image that can be read.";
    std::uint64_t bytes_max = limits.multipart_media_bytes_max;
    if (asset.method == core::AssetMethod::direct) bytes_max = limits.direct_media_bytes_max;
    if (asset.method == core::AssetMethod::url) bytes_max = limits.url_media_bytes_max;
    if (info.type == core::MediaType::image) bytes_max = limits.image_bytes_max;
    if (bytes <= bytes_max) return {};
    return fmt::format("The file has {} bytes; at most {} are allowed for its type.", bytes, bytes_max);
}

async::Task<void> Assets::fetch_and_settle(core::Asset asset, Busy busy) {
    const auto bytes = co_await parts_.fetch_lane->run([&] { return fetch_to_blob(asset); });
    if (!bytes && bytes.error().code == ErrorCode::canceled) co_return;
    if (!bytes) {
        const bool is_full = bytes.error().code == ErrorCode::no_space;
        co_return co_await fail_asset(
            asset, is_full ? "The server has no room for the file." : bytes.error().message);
    }
    auto changed = co_await change(asset, [&](core::Asset& now) {
        now.blob_key = blob_key_of(asset.id);
        now.bytes = *bytes;
    });
    if (changed) co_return enqueue({.asset = std::move(*changed), .busy = std::move(busy)});
    if (changed.error().code == ErrorCode::not_found) co_return co_await forget_bytes(asset.id);
    if (!is_gone(changed.error())) log_left(asset, changed.error());
}

// On the fetch lane: it touches nothing that belongs to our executor but the flag.
Result<std::uint64_t> Assets::fetch_to_blob(const core::Asset& asset) const {
    blob::BlobStore& blobs = parts_.blobs.now();
    const std::string key = blob_key_of(asset.id);
    // A crash came between the last byte and the note of it.
    if (const auto there = blobs.open(key)) return there->bytes();
    const auto canceled = [] { return fail(ErrorCode::canceled, "The server is stopping."); };
    if (stopping_) return canceled();
    auto writer = blobs.create(key);
    if (!writer) return std::unexpected(writer.error());
    const auto fetched = parts_.fetcher->get(asset.source_url, parts_.limits.url_media_bytes_max,
                                             [&](std::string_view bytes) -> Result<> {
                                                 if (stopping_) return canceled();
                                                 return (*writer)->append(bytes);
                                             });
    if (!fetched) return std::unexpected(fetched.error());
    if (const auto committed = (*writer)->commit(); !committed) return std::unexpected(committed.error());
    return (*writer)->bytes();
}

async::Task<Result<core::Asset>> Assets::change(const core::Asset& asset,
                                                std::function<void(core::Asset&)> how) {
    // Read again, so that what its owner changed meanwhile is kept.
    co_return co_await parts_.store([&](store::Assets& store) -> Result<core::Asset> {
        auto now = store.find(asset.account, asset.id);
        if (!now) return now;
        if (now->state != core::AssetState::processing)
            return fail(ErrorCode::conflict, "The asset is settled already.");
        how(*now);
        const auto updated = store.update(*now, core::AssetState::processing);
        if (!updated) return std::unexpected(updated.error());
        return now;
    });
}

async::Task<void> Assets::fail_asset(core::Asset asset, std::string why) {
    const auto failed = co_await change(asset, [&](core::Asset& now) {
        now.state = core::AssetState::failed;
        now.blob_key.clear();
        now.error = why;
    });
    if (failed) {
        log::info("asset failed", {{"asset", to_string(asset.id)}, {"why", why}});
        co_await forget_bytes(asset.id);
    } else if (failed.error().code == ErrorCode::not_found) {
        co_await forget_bytes(asset.id);
    } else if (!is_gone(failed.error())) {
        log_left(asset, failed.error());
    }
}

}  // namespace sheaf::service
