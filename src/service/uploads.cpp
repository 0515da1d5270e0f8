#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "service/assets.h"
#include "service/uninterrupted.h"

// Uploads in chunks: the session, its chunks, and what they become.
namespace sheaf::service {
namespace {

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
constexpr std::uint64_t kChunkBytesMin = 5 * kMebibyte;
constexpr std::uint64_t kChunksMax = 2000;

std::string chunks_prefix(UploadId id) {
    return fmt::format("chunks/{}/", to_string(id));
}
std::string chunk_prefix(UploadId id, std::uint32_t index) {
    return fmt::format("{}{}-", chunks_prefix(id), index);
}

bool is_md5_hex(std::string_view text) {
    return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_due(const core::Upload& upload, Timestamp now) {
    return upload.state == core::UploadState::active && now >= upload.expires_at;
}

}  // namespace

std::uint64_t chunk_bytes_for(std::uint64_t total_bytes) {
    const std::uint64_t least = total_bytes / kChunksMax + (total_bytes % kChunksMax == 0 ? 0 : 1);
    const std::uint64_t whole = (least / kMebibyte + (least % kMebibyte == 0 ? 0 : 1)) * kMebibyte;
    return std::max(kChunkBytesMin, whole);
}

std::string blob_key_of(UploadId id, std::uint32_t index, std::string_view md5_hex) {
    return chunk_prefix(id, index) + std::string(md5_hex);
}

async::Task<Result<core::Upload>> Assets::open_upload(UploadRequest request, UploadId id) {
    const bool is_image = request.type == core::MediaType::image;
    const std::uint64_t bytes_max =
        is_image ? parts_.limits.image_bytes_max : parts_.limits.multipart_media_bytes_max;
    if (request.total_bytes == 0) co_return fail(ErrorCode::invalid, "An upload has at least one byte.");
    if (request.total_bytes > bytes_max) {
        co_return fail(ErrorCode::too_large,
                       fmt::format("An upload of this type has at most {} bytes.", bytes_max));
    }
    const Timestamp created_at = now();
    if (id == UploadId{}) id = UploadId::make(created_at);
    const core::Upload upload{.id = id,
                              .account = request.asset.account,
                              .asset = AssetId{id.raw},
                              .total_bytes = request.total_bytes,
                              .chunk_bytes = chunk_bytes_for(request.total_bytes),
                              .created_at = created_at,
                              .updated_at = created_at,
                              .expires_at = created_at + parts_.limits.upload_time};
    const core::Asset asset{.id = upload.asset,
                            .account = request.asset.account,
                            .method = core::AssetMethod::multipart,
                            .filename = std::move(request.asset.filename),
                            .type = request.type,
                            .user_metadata = std::move(request.asset.user_metadata),
                            .wants_hls = request.asset.wants_hls,
                            .wants_thumbnail = request.asset.wants_thumbnail,
                            .created_at = created_at};
    if (request.idempotency && request.idempotency->expires_at == Timestamp{}) {
        request.idempotency->expires_at = created_at + parts_.limits.idempotency_time;
    }
    const auto inserted = co_await parts_.store(
        [&](store::Assets& store) { return store.insert_upload(upload, asset, request.idempotency); });
    if (!inserted) co_return std::unexpected(inserted.error());
    co_return upload;
}

async::Task<Result<core::Upload>> Assets::find_upload(const AccountId& account, UploadId id) {
    auto found = co_await parts_.store([&](store::Assets& store) { return store.find_upload(account, id); });
    if (!found || !is_due(*found, now())) co_return found;
    co_await end_upload(*found, core::UploadState::expired, "The upload was not completed in time.");
    co_return co_await parts_.store([&](store::Assets& store) { return store.find_upload(account, id); });
}

async::Task<Result<store::Page<core::Upload>>> Assets::list_uploads(const AccountId& account,
                                                                    store::PageRange page) {
    co_return co_await parts_.store(
        [&, at = now()](store::Assets& store) { return store.list_uploads(account, at, page); });
}

async::Task<Result<std::vector<core::UploadChunk>>> Assets::upload_chunks(UploadId id) {
    co_return co_await parts_.store([&](store::Assets& store) { return store.chunks(id); });
}

async::Task<Result<core::Upload>> Assets::find_open_upload(UploadId id, std::uint32_t index) {
    auto found = co_await parts_.store([&](store::Assets& store) { return store.find_upload(id); });
    if (!found) co_return found;
    if (found->state != core::UploadState::active || is_due(*found, now())) {
        co_return fail(ErrorCode::conflict, "The upload is over.");
    }
    if (index == 0 || index > found->chunk_count())
        co_return fail(ErrorCode::invalid, "The upload has no such chunk.");
    co_return found;
}

async::Task<Result<IncomingFile>> Assets::new_chunk(UploadId id, std::uint32_t index) {
    const auto upload = co_await find_open_upload(id, index);
    if (!upload) co_return std::unexpected(upload.error());
    std::string key = chunk_prefix(id, index);
    auto writer = co_await parts_.blobs([&](blob::BlobStore& blobs) { return blobs.create(key); });
    if (!writer) co_return std::unexpected(writer.error());
    co_return IncomingFile(upload->asset, std::move(key), std::move(*writer), *parts_.lane,
                           upload->bytes_of_chunk(index));
}

async::Task<Result<std::string>> Assets::put_chunk(UploadId id, std::uint32_t index, IncomingFile file,
                                                   std::string md5_hex) {
    co_return co_await uninterrupted(commit_and_note(id, index, std::move(file), std::move(md5_hex)));
}

async::Task<Result<std::string>> Assets::commit_and_note(UploadId id, std::uint32_t index, IncomingFile file,
                                                         std::string md5_hex) {
    if (!is_md5_hex(md5_hex)) co_return fail(ErrorCode::internal, "A chunk's hash is no MD5.");
    const auto upload = co_await find_open_upload(id, index);
    if (!upload) co_return std::unexpected(upload.error());
    if (file.bytes() != upload->bytes_of_chunk(index)) {
        co_return fail(ErrorCode::invalid, fmt::format("Chunk {} has {} bytes; {} are expected.", index,
                                                       file.bytes(), upload->bytes_of_chunk(index)));
    }
    // Else two of them could each remove the other's bytes as replaced.
    const std::pair place(id, index);
    if (!putting_.insert(place).second)
        co_return fail(ErrorCode::conflict, "The chunk is coming in already.");
    struct Leave {
        std::set<std::pair<UploadId, std::uint32_t>>& all;
        const std::pair<UploadId, std::uint32_t>& mine;
        ~Leave() { all.erase(mine); }
    };
    const Leave leave{putting_, place};

    const std::string key = blob_key_of(id, index, md5_hex);
    const auto committed = co_await parts_.lane->run([&] { return file.writer_->commit_as(key); });
    if (!committed) co_return std::unexpected(committed.error());
    const core::UploadChunk chunk{
        .index = index, .bytes = file.bytes(), .etag = md5_hex, .uploaded_at = now()};
    const auto noted =
        co_await parts_.store([&](store::Assets& store) { return store.put_chunk(id, chunk); });
    if (!noted) {
        co_await drop_refused_chunk(id, index, md5_hex);
        co_return std::unexpected(noted.error());
    }
    co_await drop_replaced_chunks(id, index, md5_hex);
    co_return md5_hex;
}

// The bytes may be the very ones that were put and reported before: then they stay.
async::Task<void> Assets::drop_refused_chunk(UploadId id, std::uint32_t index, std::string md5_hex) {
    if (co_await needs_chunks(id)) {
        const auto chunks = co_await upload_chunks(id);
        if (!chunks) co_return;
        const bool is_kept = std::ranges::any_of(*chunks, [&](const core::UploadChunk& chunk) {
            return chunk.index == index && chunk.etag == md5_hex;
        });
        if (is_kept) co_return;
    }
    const std::string key = blob_key_of(id, index, md5_hex);
    const auto removed = co_await parts_.blobs([&](blob::BlobStore& blobs) { return blobs.remove(key); });
    if (!removed) log::warning("bytes stay behind", {{"blob", key}, {"why", removed.error().message}});
}

async::Task<void> Assets::drop_replaced_chunks(UploadId id, std::uint32_t index, std::string md5_hex) {
    const std::string kept = blob_key_of(id, index, md5_hex);
    const auto removed = co_await parts_.blobs([&](blob::BlobStore& blobs) -> Result<> {
        const auto keys = blobs.list(chunk_prefix(id, index));
        if (!keys) return std::unexpected(keys.error());
        for (const std::string& key : *keys) {
            if (key == kept) continue;
            if (const auto one = blobs.remove(key); !one) return one;
        }
        return {};
    });
    // They go with the others when the upload ends.
    if (!removed)
        log::warning("a replaced chunk stays for now", {{"chunk", kept}, {"why", removed.error().message}});
}

async::Task<Result<store::ChunkReport>> Assets::report_chunks(const AccountId& account, UploadId id,
                                                              std::vector<store::ReportedChunk> reported) {
    const auto upload = co_await find_upload(account, id);
    if (!upload) co_return std::unexpected(upload.error());
    if (upload->state == core::UploadState::expired || upload->state == core::UploadState::failed) {
        co_return fail(ErrorCode::conflict, "The upload is over.");
    }
    auto report = co_await parts_.store(
        [&, at = now()](store::Assets& store) { return store.report_chunks(account, id, reported, at); });
    if (!report || report->upload.state != core::UploadState::completed) co_return report;
    // Also after a report that told nothing new: whoever lost the first answer asks again.
    const auto asset = co_await parts_.store(
        [&](store::Assets& store) { return store.find(account, report->upload.asset); });
    if (asset && asset->state == core::AssetState::processing) begin_probe(*asset);
    co_return report;
}

// Nothing: the asset is not to be gone on with now; it has failed, is gone, or stays in processing.
async::Task<std::optional<core::Asset>> Assets::assemble(core::Asset asset) {
    const UploadId id{asset.id.raw};
    const auto upload =
        co_await parts_.store([&](store::Assets& store) { return store.find_upload(asset.account, id); });
    const auto chunks = co_await upload_chunks(id);
    if (!upload || !chunks) {
        const Error& error = upload ? chunks.error() : upload.error();
        log::warning("an upload cannot be assembled now",
                     {{"upload", to_string(id)}, {"why", error.message}});
        co_return std::nullopt;
    }
    std::vector<std::string> parts;
    for (const core::UploadChunk& chunk : *chunks) parts.push_back(blob_key_of(id, chunk.index, chunk.etag));
    const auto joined = co_await parts_.blobs([&](blob::BlobStore& blobs) -> Result<> {
        // A crash came between the last byte and the note of it.
        if (const auto there = blobs.open(blob_key_of(asset.id));
            there && there->bytes() == upload->total_bytes)
            return {};
        for (const core::UploadChunk& chunk : *chunks) {
            const auto part = blobs.open(blob_key_of(id, chunk.index, chunk.etag));
            if (!part) return std::unexpected(part.error());
            if (part->bytes() != chunk.bytes) return fail(ErrorCode::corrupt, "A chunk has not its size.");
        }
        return blobs.concatenate(blob_key_of(asset.id), parts);
    });
    if (!joined &&
        (joined.error().code == ErrorCode::not_found || joined.error().code == ErrorCode::corrupt)) {
        co_await fail_asset(asset, "Chunks of the upload are no longer there. Upload it again.");
        co_await remove_chunks(id);
        co_return std::nullopt;
    }
    if (!joined) {
        // A full disk may have room again: the chunks are kept, and resume() comes back to them.
        log::warning("an upload cannot be assembled now",
                     {{"upload", to_string(id)}, {"why", joined.error().message}});
        co_return std::nullopt;
    }
    auto changed = co_await change(asset, [&](core::Asset& now) {
        now.blob_key = blob_key_of(asset.id);
        now.bytes = upload->total_bytes;
    });
    if (!changed && changed.error().code == ErrorCode::not_found) co_await forget_bytes(asset.id);
    if (!changed) co_return std::nullopt;
    co_await remove_chunks(id);
    co_return std::move(*changed);
}

async::Task<void> Assets::end_upload(core::Upload upload, core::UploadState state, std::string why) {
    const auto ended = co_await parts_.store(
        [&, at = now()](store::Assets& store) { return store.end_upload(upload.id, state, at); });
    // Completed or ended by another meanwhile.
    if (!ended && (ended.error().code == ErrorCode::conflict || ended.error().code == ErrorCode::not_found))
        co_return;
    if (!ended) {
        log::warning("an upload was not ended",
                     {{"upload", to_string(upload.id)}, {"why", ended.error().message}});
        co_return;
    }
    co_await fail_asset({.id = upload.asset, .account = upload.account}, std::move(why));
    co_await remove_chunks(upload.id);
}

async::Task<void> Assets::remove_chunks(UploadId id) {
    const auto removed = co_await parts_.blobs([&](blob::BlobStore& blobs) -> Result<> {
        const auto keys = blobs.list(chunks_prefix(id));
        if (!keys) return std::unexpected(keys.error());
        for (const std::string& key : *keys) {
            if (const auto one = blobs.remove(key); !one) return one;
        }
        return {};
    });
    if (!removed)
        log::warning("chunks stay behind", {{"upload", to_string(id)}, {"why", removed.error().message}});
}

// Whether an asset may still be made of the chunks. Also when that cannot be told.
async::Task<bool> Assets::needs_chunks(UploadId id) {
    const auto upload = co_await parts_.store([&](store::Assets& store) { return store.find_upload(id); });
    if (!upload) co_return upload.error().code != ErrorCode::not_found;
    if (upload->state == core::UploadState::active) co_return true;
    if (upload->state != core::UploadState::completed) co_return false;
    const auto asset = co_await parts_.store(
        [&](store::Assets& store) { return store.find(upload->account, upload->asset); });
    if (!asset) co_return asset.error().code != ErrorCode::not_found;
    co_return asset->state == core::AssetState::processing && asset->blob_key.empty();
}

async::Task<void> Assets::expire_uploads() {
    const auto due =
        co_await parts_.store([&, at = now()](store::Assets& store) { return store.expired_uploads(at); });
    if (!due) {
        log::warning("uploads past their time were not found", {{"why", due.error().message}});
        co_return;
    }
    for (const core::Upload& upload : *due) {
        co_await end_upload(upload, core::UploadState::expired, "The upload was not completed in time.");
    }
}

}  // namespace sheaf::service
