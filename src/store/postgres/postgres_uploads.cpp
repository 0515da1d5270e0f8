#include <algorithm>

#include <fmt/format.h>

#include "store/postgres/batch_row.h"
#include "store/postgres/postgres_assets.h"
#include "store/postgres/postgres_batches.h"
#include "store/postgres/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store::postgres {
namespace {

Error no_upload() {
    return {ErrorCode::not_found, "there is no such upload", {}};
}

Result<core::Upload> one_upload(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    if (!rows->next()) return std::unexpected(no_upload());
    return read_upload(*rows);
}

Result<std::vector<core::Upload>> all_uploads(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::Upload> uploads;
    while (rows->next()) uploads.push_back(read_upload(*rows));
    return uploads;
}

// Of one that is active: nobody else changes it until the transaction has ended.
Result<core::Upload> hold_active(Connection& db, const UploadId& id) {
    auto upload = one_upload(db.query(sql::kHoldUpload, id_bytes(id)));
    if (upload && upload->state != core::UploadState::active)
        return fail(ErrorCode::conflict, "the upload is no longer active");
    return upload;
}

void queue_progress(Connection& db, const core::Upload& upload) {
    db.queue(sql::kUpdateUpload, id_bytes(upload.id), upload.state, upload.updated_at, upload.chunks_reported,
             upload.bytes_reported);
}

Result<std::vector<core::UploadChunk>> all_chunks(Connection& db, const UploadId& id) {
    auto rows = db.query(sql::kChunks, id_bytes(id));
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::UploadChunk> chunks;
    while (rows->next()) chunks.push_back(read_chunk(*rows));
    return chunks;
}

// Marks in `put` what is newly accepted, too.
Result<ChunkReport> accept(core::Upload upload, std::vector<core::UploadChunk>& put,
                           std::span<const ReportedChunk> reported, std::vector<std::int64_t>& accepted) {
    ChunkReport report;
    for (std::size_t at = 0; at < reported.size(); ++at) {
        const ReportedChunk& said = reported[at];
        const std::string field = fmt::format("completed_chunks[{}]", at);
        const auto chunk = std::ranges::lower_bound(put, said.index, {}, &core::UploadChunk::index);
        if (chunk == put.end() || chunk->index != said.index)
            return fail(ErrorCode::invalid, fmt::format("chunk {} was not uploaded", said.index), field);
        if (chunk->bytes != said.bytes || chunk->etag != said.etag)
            return fail(ErrorCode::invalid, fmt::format("chunk {} is not what was uploaded", said.index),
                        field);
        if (chunk->reported) {
            ++report.duplicates;
            continue;
        }
        chunk->reported = true;
        accepted.push_back(said.index);
        ++report.processed;
        ++upload.chunks_reported;
        upload.bytes_reported += said.bytes;
    }
    report.upload = std::move(upload);
    return report;
}

}  // namespace

Result<> PostgresAssets::insert_upload(const core::Upload& upload, const core::Asset& asset,
                                       const std::optional<IdempotencyRecord>& idempotency) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        if (idempotency) {
            if (const auto noted = insert_idempotent(db, *idempotency); !noted) return noted;
        }
        if (const auto added = insert_asset(db, asset, engine_->node); !added) return added;
        const auto added =
            db.run(sql::kInsertUpload, id_bytes(upload.id), Text{upload.account.name}, id_bytes(upload.asset),
                   upload.state, upload.total_bytes, upload.chunk_bytes, upload.created_at, upload.updated_at,
                   upload.expires_at, upload.chunks_reported, upload.bytes_reported);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) return fail(ErrorCode::conflict, "an upload of this id is there already");
        return {};
    });
}

Result<core::Upload> PostgresAssets::find_upload(const AccountId& account, const UploadId& id) {
    auto upload = find_upload(id);
    if (upload && upload->account != account) return std::unexpected(no_upload());
    return upload;
}

Result<core::Upload> PostgresAssets::find_upload(const UploadId& id) {
    return engine_->pool.read(
        [&](Connection& db) { return one_upload(db.query(sql::kFindUpload, id_bytes(id))); });
}

Result<Page<core::Upload>> PostgresAssets::list_uploads(const AccountId& account, Timestamp now,
                                                        PageRange range) {
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<Page<core::Upload>> {
        Page<core::Upload> page;
        auto counted = db.query(sql::kCountUploads, Text{account.name}, now);
        if (!counted) return std::unexpected(counted.error());
        (void)counted->next();
        page.total = counted->as<std::uint64_t>(0);
        auto rows =
            all_uploads(db.query(sql::kListUploads, Text{account.name}, now, range.count, range.offset));
        if (!rows) return std::unexpected(rows.error());
        page.rows = std::move(*rows);
        return page;
    });
}

Result<> PostgresAssets::put_chunk(const UploadId& id, const core::UploadChunk& chunk) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        if (const auto upload = hold_active(db, id); !upload) return std::unexpected(upload.error());
        auto earlier = db.query(sql::kFindChunk, id_bytes(id), chunk.index);
        if (!earlier) return std::unexpected(earlier.error());
        if (earlier->next() && read_chunk(*earlier).reported)
            return fail(ErrorCode::conflict, fmt::format("chunk {} was reported already", chunk.index));
        db.queue(sql::kPutChunk, id_bytes(id), chunk.index, chunk.bytes, chunk.etag, chunk.uploaded_at);
        return {};
    });
}

Result<std::vector<core::UploadChunk>> PostgresAssets::chunks(const UploadId& id) {
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<std::vector<core::UploadChunk>> {
        const auto upload = one_upload(db.query(sql::kFindUpload, id_bytes(id)));
        if (!upload) return std::unexpected(upload.error());
        return all_chunks(db, id);
    });
}

Result<ChunkReport> PostgresAssets::report_chunks(const AccountId& account, const UploadId& id,
                                                  std::span<const ReportedChunk> reported, Timestamp now) {
    return engine_->pool.write([&](Connection& db) -> Result<ChunkReport> {
        auto upload = one_upload(db.query(sql::kHoldUpload, id_bytes(id)));
        if (!upload) return std::unexpected(upload.error());
        if (upload->account != account) return std::unexpected(no_upload());
        auto put = all_chunks(db, id);
        if (!put) return std::unexpected(put.error());
        std::vector<std::int64_t> accepted;
        auto report = accept(std::move(*upload), *put, reported, accepted);
        if (!report || report->processed == 0) return report;
        core::Upload& now_is = report->upload;
        if (now_is.state != core::UploadState::active)
            return fail(ErrorCode::conflict, "the upload is no longer active");
        now_is.updated_at = now;
        if (now_is.chunks_reported == now_is.chunk_count()) {
            now_is.state = core::UploadState::completed;
            db.queue(sql::kTakeAsset, id_bytes(now_is.asset), engine_->node);
        }
        db.queue(sql::kAcceptChunks, id_bytes(id), accepted);
        queue_progress(db, now_is);
        return report;
    });
}

Result<> PostgresAssets::end_upload(const UploadId& id, core::UploadState state, Timestamp now) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        auto upload = hold_active(db, id);
        if (!upload) return std::unexpected(upload.error());
        upload->state = state;
        upload->updated_at = now;
        queue_progress(db, *upload);
        return {};
    });
}

Result<std::vector<core::Upload>> PostgresAssets::expired_uploads(Timestamp now) {
    return engine_->pool.read(
        [&](Connection& db) { return all_uploads(db.query(sql::kExpiredUploads, now)); });
}

}  // namespace sheaf::store::postgres
