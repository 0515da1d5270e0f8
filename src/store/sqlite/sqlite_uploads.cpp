#include <fmt/format.h>

#include "store/sqlite/sqlite_assets.h"
#include "store/sqlite/sqlite_batches.h"
#include "store/sqlite/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store {
namespace {

Error no_upload() {
    return {ErrorCode::not_found, "there is no such upload", {}};
}

Result<core::Upload> find_in(Connection& db, const UploadId& id) {
    auto rows = db.query(sql::kFindUpload, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected(no_upload());
    return read_upload(*rows);
}

Result<std::optional<core::UploadChunk>> find_chunk(Connection& db, const UploadId& id, std::uint32_t index) {
    auto rows = db.query(sql::kFindChunk, IdBytes(id), index);
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::nullopt;
    return read_chunk(*rows);
}

Result<> store_progress(Connection& db, const core::Upload& upload) {
    const auto stored = db.run(sql::kUpdateUpload, IdBytes(upload.id), upload.state, upload.updated_at,
                               upload.chunks_reported, upload.bytes_reported);
    if (!stored) return std::unexpected(stored.error());
    return {};
}

Result<ChunkReport> accept_chunks(Connection& db, core::Upload upload,
                                  std::span<const ReportedChunk> reported, Timestamp now) {
    ChunkReport report;
    for (std::size_t at = 0; at < reported.size(); ++at) {
        const ReportedChunk& said = reported[at];
        const auto put = find_chunk(db, upload.id, said.index);
        if (!put) return std::unexpected(put.error());
        const std::string field = fmt::format("completed_chunks[{}]", at);
        if (!*put)
            return fail(ErrorCode::invalid, fmt::format("chunk {} was not uploaded", said.index), field);
        if ((*put)->bytes != said.bytes || (*put)->etag != said.etag) {
            return fail(ErrorCode::invalid, fmt::format("chunk {} is not what was uploaded", said.index),
                        field);
        }
        if ((*put)->reported) {
            ++report.duplicates;
            continue;
        }
        const auto accepted = db.run(sql::kAcceptChunk, IdBytes(upload.id), said.index);
        if (!accepted) return std::unexpected(accepted.error());
        ++report.processed;
        ++upload.chunks_reported;
        upload.bytes_reported += said.bytes;
    }
    if (report.processed > 0) {
        if (upload.state != core::UploadState::active) {
            return fail(ErrorCode::conflict, "the upload is no longer active");
        }
        upload.updated_at = now;
        if (upload.chunks_reported == upload.chunk_count()) upload.state = core::UploadState::completed;
        if (const auto stored = store_progress(db, upload); !stored) return std::unexpected(stored.error());
    }
    report.upload = std::move(upload);
    return report;
}

}  // namespace

Result<> SqliteAssets::insert_upload(const core::Upload& upload, const core::Asset& asset,
                                     const std::optional<IdempotencyRecord>& idempotency) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        if (idempotency) {
            if (const auto noted = insert_idempotent(tx, *idempotency); !noted) return noted;
        }
        if (const auto added = insert_asset(tx.db, asset); !added) return added;
        const auto added =
            tx.db.run(sql::kInsertUpload, IdBytes(upload.id), upload.account.name, IdBytes(upload.asset),
                      upload.state, upload.total_bytes, upload.chunk_bytes, upload.created_at,
                      upload.updated_at, upload.expires_at, upload.chunks_reported, upload.bytes_reported);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) return fail(ErrorCode::conflict, "an upload of this id is there already");
        return {};
    });
}

Result<core::Upload> SqliteAssets::find_upload(const AccountId& account, const UploadId& id) {
    auto upload = find_upload(id);
    if (upload && upload->account != account) return std::unexpected(no_upload());
    return upload;
}

Result<core::Upload> SqliteAssets::find_upload(const UploadId& id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    return find_in(snapshot->db(), id);
}

Result<Page<core::Upload>> SqliteAssets::list_uploads(const AccountId& account, Timestamp now,
                                                      PageRange range) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    Page<core::Upload> page;
    auto counted = snapshot->db().query(sql::kCountUploads, account.name, now);
    if (!counted) return std::unexpected(counted.error());
    if (const auto more = counted->next(); !more) return std::unexpected(more.error());
    page.total = counted->as<std::uint64_t>(0);
    auto rows = snapshot->db().query(sql::kListUploads, account.name, now, range.count, range.offset);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return page;
        page.rows.push_back(read_upload(*rows));
    }
}

Result<> SqliteAssets::put_chunk(const UploadId& id, const core::UploadChunk& chunk) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        const auto upload = find_in(tx.db, id);
        if (!upload) return std::unexpected(upload.error());
        if (upload->state != core::UploadState::active) {
            return fail(ErrorCode::conflict, "the upload is no longer active");
        }
        const auto earlier = find_chunk(tx.db, id, chunk.index);
        if (!earlier) return std::unexpected(earlier.error());
        if (*earlier && (*earlier)->reported) {
            return fail(ErrorCode::conflict, fmt::format("chunk {} was reported already", chunk.index));
        }
        const auto noted =
            tx.db.run(sql::kPutChunk, IdBytes(id), chunk.index, chunk.bytes, chunk.etag, chunk.uploaded_at);
        if (!noted) return std::unexpected(noted.error());
        return {};
    });
}

Result<std::vector<core::UploadChunk>> SqliteAssets::chunks(const UploadId& id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    if (const auto upload = find_in(snapshot->db(), id); !upload) return std::unexpected(upload.error());
    auto rows = snapshot->db().query(sql::kChunks, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::UploadChunk> chunks;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return chunks;
        chunks.push_back(read_chunk(*rows));
    }
}

Result<ChunkReport> SqliteAssets::report_chunks(const AccountId& account, const UploadId& id,
                                                std::span<const ReportedChunk> reported, Timestamp now) {
    return engine_->writer.run([&](Tx& tx) -> Result<ChunkReport> {
        auto upload = find_in(tx.db, id);
        if (!upload) return std::unexpected(upload.error());
        if (upload->account != account) return std::unexpected(no_upload());
        return accept_chunks(tx.db, std::move(*upload), reported, now);
    });
}

Result<> SqliteAssets::end_upload(const UploadId& id, core::UploadState state, Timestamp now) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        auto upload = find_in(tx.db, id);
        if (!upload) return std::unexpected(upload.error());
        if (upload->state != core::UploadState::active) {
            return fail(ErrorCode::conflict, "the upload is no longer active");
        }
        upload->state = state;
        upload->updated_at = now;
        return store_progress(tx.db, *upload);
    });
}

Result<std::vector<core::Upload>> SqliteAssets::expired_uploads(Timestamp now) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kExpiredUploads, now);
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::Upload> uploads;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return uploads;
        uploads.push_back(read_upload(*rows));
    }
}

}  // namespace sheaf::store
