#include "store/sqlite/batch_row.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store {
namespace {

Result<core::FileUpload> find_file_upload(Connection& db, const FileUploadId& id) {
    auto rows = db.query(sql::kFindFileUpload, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return fail(ErrorCode::not_found, "there is no such upload");
    return read_file_upload(*rows);
}

Error not_pending() {
    return {ErrorCode::conflict, "the upload is not pending", {}};
}

}  // namespace

Result<> SqliteFiles::insert_upload(const core::FileUpload& upload) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        std::optional<std::int64_t> lifetime;
        if (upload.file_lifetime) lifetime = upload.file_lifetime->count();
        const auto added =
            tx.db.run(sql::kInsertFileUpload, IdBytes(upload.id), upload.account.name, upload.state,
                      upload.purpose, upload.filename, upload.mime_type, upload.bytes, lifetime, std::nullopt,
                      upload.created_at, upload.expires_at);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) return fail(ErrorCode::conflict, "an upload of this id is there already");
        return {};
    });
}

Result<core::FileUpload> SqliteFiles::find_upload(const AccountId& account, const FileUploadId& id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto upload = find_file_upload(snapshot->db(), id);
    if (upload && upload->account != account) return fail(ErrorCode::not_found, "there is no such upload");
    return upload;
}

Result<> SqliteFiles::add_part(const FileUploadId& id, const core::FilePart& part) {
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        const auto upload = find_file_upload(tx.db, id);
        if (!upload) return std::unexpected(upload.error());
        if (upload->state != core::FileUploadState::pending) return std::unexpected(not_pending());
        {
            auto rows = tx.db.query(sql::kBytesOfParts, IdBytes(id));
            if (!rows) return std::unexpected(rows.error());
            if (const auto more = rows->next(); !more) return std::unexpected(more.error());
            if (rows->as<std::uint64_t>(0) + part.bytes > upload->bytes)
                return fail(ErrorCode::invalid, "the parts weigh more than the upload announced");
        }
        const auto added = tx.db.run(sql::kInsertFilePart, IdBytes(id), IdBytes(part.id), part.bytes,
                                     part.blob_key, part.created_at);
        if (!added) return std::unexpected(added.error());
        return {};
    });
}

Result<std::vector<core::FilePart>> SqliteFiles::parts(const FileUploadId& id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kFileParts, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::FilePart> parts;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return parts;
        parts.push_back(
            {FilePartId{raw_id(rows->bytes(0))}, rows->as<std::uint64_t>(1), rows->text(2), rows->time(3)});
    }
}

Result<core::FileUpload> SqliteFiles::end_upload(const FileUploadId& id, core::FileUploadState state,
                                                 const std::optional<core::File>& file) {
    return engine_->writer.run([&](Tx& tx) -> Result<core::FileUpload> {
        auto upload = find_file_upload(tx.db, id);
        if (!upload) return upload;
        if (upload->state != core::FileUploadState::pending) return std::unexpected(not_pending());
        std::optional<IdBytes> file_id;
        if (file) file_id.emplace(file->id);
        const auto ended = tx.db.run(sql::kEndFileUpload, IdBytes(id), state,
                                     file_id ? std::optional<Bytes>(*file_id) : std::nullopt);
        if (!ended) return std::unexpected(ended.error());
        if (file) {
            if (const auto kept = insert_file(tx, *file); !kept) return std::unexpected(kept.error());
            upload->file = file->id;
        }
        upload->state = state;
        return upload;
    });
}

Result<std::vector<core::FileUpload>> SqliteFiles::expired_uploads(Timestamp now, std::uint32_t count_max) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kExpiredFileUploads, now, count_max);
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::FileUpload> uploads;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return uploads;
        uploads.push_back(read_file_upload(*rows));
    }
}

Result<std::vector<FileUploadId>> SqliteFiles::ended_with_parts(std::uint32_t count_max) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kEndedWithParts, count_max);
    if (!rows) return std::unexpected(rows.error());
    std::vector<FileUploadId> ids;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return ids;
        ids.push_back({raw_id(rows->bytes(0))});
    }
}

Result<> SqliteFiles::forget_parts(const FileUploadId& id) {
    const auto done =
        engine_->writer.run([&](Tx& tx) { return tx.db.run(sql::kForgetFileParts, IdBytes(id)); });
    if (!done) return std::unexpected(done.error());
    return {};
}

}  // namespace sheaf::store
