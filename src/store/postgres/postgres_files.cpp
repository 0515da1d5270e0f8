#include "store/postgres/postgres_files.h"

#include <limits>
#include <set>

#include "store/postgres/batch_row.h"
#include "store/postgres/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store::postgres {
namespace {

Error no_file() {
    return {ErrorCode::not_found, "there is no such file", {}};
}

Result<core::File> one_file(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    if (!rows->next()) return std::unexpected(no_file());
    return read_file(*rows);
}

}  // namespace

Result<> insert_file(Connection& db, const core::File& file) {
    const auto added = db.run(sql::kInsertFile, id_bytes(file.id), Text{file.account.name}, file.purpose,
                              file.filename, file.bytes, file.created_at, file.expires_at, file.blob_key,
                              id_bytes(file.batch), file.offset);
    if (!added) return std::unexpected(added.error());
    if (*added == 0) return fail(ErrorCode::conflict, "a file of this id is there already");
    return {};
}

Result<> PostgresFiles::insert(const core::File& file) {
    return engine_->pool.write([&](Connection& db) { return insert_file(db, file); });
}

Result<core::File> PostgresFiles::find(const AccountId& account, const FileId& id, Timestamp now) {
    return engine_->pool.read([&](Connection& db) {
        return one_file(db.query(sql::kFindFile, id_bytes(id), Text{account.name}, now));
    });
}

Result<FilePage> PostgresFiles::list(const FileQuery& query) {
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<FilePage> {
        FilePage page;
        std::int64_t above = 0;
        std::int64_t below = std::numeric_limits<std::int64_t>::max();
        if (query.after) {
            auto placed = db.query(sql::kPlaceOfFile, id_bytes(*query.after), Text{query.account.name});
            if (!placed) return std::unexpected(placed.error());
            if (!placed->next()) return page;
            (query.oldest_first ? above : below) = placed->number(0);
        }
        auto rows = db.query(query.oldest_first ? sql::kFilesOldestFirst : sql::kFilesNewestFirst,
                             Text{query.account.name}, query.purpose, query.now, below, above,
                             std::uint64_t{query.count} + 1);
        if (!rows) return std::unexpected(rows.error());
        page.has_more = static_cast<std::uint64_t>(rows->count()) > query.count;
        while (page.rows.size() < query.count && rows->next()) page.rows.push_back(read_file(*rows));
        return page;
    });
}

// An expired file is removed like any other: by whoever clears it away.
Result<core::File> PostgresFiles::remove(const AccountId& account, const FileId& id, Timestamp now) {
    return engine_->pool.write([&](Connection& db) {
        return one_file(db.query(sql::kRemoveFile, id_bytes(id), Text{account.name}, now));
    });
}

Result<std::vector<core::File>> PostgresFiles::expired(Timestamp now, std::uint32_t count_max) {
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<core::File>> {
        auto rows = db.query(sql::kExpiredFiles, now, count_max);
        if (!rows) return std::unexpected(rows.error());
        std::vector<core::File> files;
        while (rows->next()) files.push_back(read_file(*rows));
        return files;
    });
}

Result<> PostgresFiles::forget_removed(Timestamp now) {
    return engine_->pool.write(
        [&](Connection& db) -> Result<> {
            db.queue(sql::kForgetFiles, now - kFilePlaceKept);
            db.queue(sql::kForgetFileUploads, now - kFilePlaceKept);
            return {};
        },
        Durability::lazy);
}

Result<std::vector<FileId>> PostgresFiles::absent(std::span<const FileId> ids) {
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<FileId>> {
        auto rows = db.query(sql::kHasFiles, all_id_bytes(ids));
        if (!rows) return std::unexpected(rows.error());
        std::set<FileId> there;
        while (rows->next()) there.insert({raw_id(rows->bytes(0))});
        std::vector<FileId> absent;
        for (const FileId& id : ids) {
            if (!there.contains(id)) absent.push_back(id);
        }
        return absent;
    });
}

}  // namespace sheaf::store::postgres
