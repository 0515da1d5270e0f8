#include "store/postgres/batch_row.h"
#include "store/postgres/postgres_files.h"
#include "store/postgres/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store::postgres {
namespace {

Result<core::FileUpload> one_upload(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    if (!rows->next()) return fail(ErrorCode::not_found, "there is no such upload");
    return read_file_upload(*rows);
}

// Of one that is pending: nobody else changes it until the transaction has ended.
Result<core::FileUpload> hold_pending(Connection& db, const FileUploadId& id) {
    auto upload = one_upload(db.query(sql::kHoldFileUpload, id_bytes(id)));
    if (upload && upload->state != core::FileUploadState::pending)
        return fail(ErrorCode::conflict, "the upload is not pending");
    return upload;
}

}  // namespace

Result<> PostgresFiles::insert_upload(const core::FileUpload& upload) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        std::optional<std::int64_t> lifetime;
        if (upload.file_lifetime) lifetime = upload.file_lifetime->count();
        const auto added = db.run(sql::kInsertFileUpload, id_bytes(upload.id), Text{upload.account.name},
                                  upload.state, upload.purpose, upload.filename, upload.mime_type,
                                  upload.bytes, lifetime, upload.created_at, upload.expires_at);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) return fail(ErrorCode::conflict, "an upload of this id is there already");
        return {};
    });
}

Result<core::FileUpload> PostgresFiles::find_upload(const AccountId& account, const FileUploadId& id) {
    auto upload = engine_->pool.read(
        [&](Connection& db) { return one_upload(db.query(sql::kFindFileUpload, id_bytes(id))); });
    if (upload && upload->account != account) return fail(ErrorCode::not_found, "there is no such upload");
    return upload;
}

Result<> PostgresFiles::add_part(const FileUploadId& id, const core::FilePart& part) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        const auto upload = hold_pending(db, id);
        if (!upload) return std::unexpected(upload.error());
        auto sum = db.query(sql::kBytesOfParts, id_bytes(id));
        if (!sum) return std::unexpected(sum.error());
        (void)sum->next();
        if (sum->as<std::uint64_t>(0) + part.bytes > upload->bytes)
            return fail(ErrorCode::invalid, "the parts weigh more than the upload announced");
        db.queue(sql::kInsertFilePart, id_bytes(id), id_bytes(part.id), part.bytes, part.blob_key,
                 part.created_at);
        return {};
    });
}

Result<std::vector<core::FilePart>> PostgresFiles::parts(const FileUploadId& id) {
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<core::FilePart>> {
        auto rows = db.query(sql::kFileParts, id_bytes(id));
        if (!rows) return std::unexpected(rows.error());
        std::vector<core::FilePart> parts;
        while (rows->next()) {
            parts.push_back({FilePartId{raw_id(rows->bytes(0))}, rows->as<std::uint64_t>(1), rows->text(2),
                             rows->time(3)});
        }
        return parts;
    });
}

Result<core::FileUpload> PostgresFiles::end_upload(const FileUploadId& id, core::FileUploadState state,
                                                   const std::optional<core::File>& file) {
    return engine_->pool.write([&](Connection& db) -> Result<core::FileUpload> {
        auto upload = hold_pending(db, id);
        if (!upload) return upload;
        if (file) upload->file = file->id;
        upload->state = state;
        db.queue(sql::kEndFileUpload, id_bytes(id), state, id_bytes(upload->file));
        if (file) {
            if (const auto kept = insert_file(db, *file); !kept) return std::unexpected(kept.error());
        }
        return upload;
    });
}

Result<std::vector<core::FileUpload>> PostgresFiles::expired_uploads(Timestamp now, std::uint32_t count_max) {
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<core::FileUpload>> {
        auto rows = db.query(sql::kExpiredFileUploads, now, count_max);
        if (!rows) return std::unexpected(rows.error());
        std::vector<core::FileUpload> uploads;
        while (rows->next()) uploads.push_back(read_file_upload(*rows));
        return uploads;
    });
}

Result<std::vector<FileUploadId>> PostgresFiles::ended_with_parts(std::uint32_t count_max) {
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<FileUploadId>> {
        auto rows = db.query(sql::kEndedWithParts, count_max);
        if (!rows) return std::unexpected(rows.error());
        std::vector<FileUploadId> ids;
        while (rows->next()) ids.push_back({raw_id(rows->bytes(0))});
        return ids;
    });
}

Result<> PostgresFiles::forget_parts(const FileUploadId& id) {
    return engine_->pool.write([&](Connection& db) -> Result<> {
        db.queue(sql::kForgetFileParts, id_bytes(id));
        return {};
    });
}

}  // namespace sheaf::store::postgres
