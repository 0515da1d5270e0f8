#include "store/sqlite/sqlite_files.h"

#include <limits>

#include "store/sqlite/batch_row.h"
#include "store/sqlite/statements.h"
#include "store/stored_rows.h"

namespace sheaf::store {
namespace {

Error no_file() {
    return {ErrorCode::not_found, "there is no such file", {}};
}

Result<core::File> find_file(Connection& db, const AccountId& account, const FileId& id, Timestamp now) {
    auto rows = db.query(sql::kFindFile, IdBytes(id), account.name, now);
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected(no_file());
    return read_file(*rows);
}

}  // namespace

Result<> insert_file(Tx& tx, const core::File& file) {
    std::optional<IdBytes> batch;
    if (file.batch) batch.emplace(*file.batch);
    const auto added = tx.db.run(sql::kInsertFile, IdBytes(file.id), file.account.name, file.purpose,
                                 file.filename, file.bytes, file.created_at, file.expires_at, file.blob_key,
                                 batch ? std::optional<Bytes>(*batch) : std::nullopt, file.offset);
    if (!added) return std::unexpected(added.error());
    if (*added == 0) return fail(ErrorCode::conflict, "a file of this id is there already");
    return {};
}

Result<> SqliteFiles::insert(const core::File& file) {
    return engine_->writer.run([&](Tx& tx) { return insert_file(tx, file); });
}

Result<core::File> SqliteFiles::find(const AccountId& account, const FileId& id, Timestamp now) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    return find_file(snapshot->db(), account, id, now);
}

Result<FilePage> SqliteFiles::list(const FileQuery& query) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    FilePage page;
    std::int64_t above = 0;
    std::int64_t below = std::numeric_limits<std::int64_t>::max();
    if (query.after) {
        auto placed = snapshot->db().query(sql::kPlaceOfFile, IdBytes(*query.after), query.account.name);
        if (!placed) return std::unexpected(placed.error());
        const auto more = placed->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return page;
        (query.oldest_first ? above : below) = placed->number(0);
    }
    const char* const all = query.oldest_first ? sql::kFilesOldestFirst : sql::kFilesNewestFirst;
    const char* const of_purpose =
        query.oldest_first ? sql::kFilesOfPurposeOldestFirst : sql::kFilesOfPurposeNewestFirst;
    auto rows = snapshot->db().query(query.purpose ? of_purpose : all, query.account.name, query.purpose,
                                     query.now, below, above, std::uint64_t{query.count} + 1);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return page;
        page.has_more = page.rows.size() == query.count;
        if (page.has_more) return page;
        page.rows.push_back(read_file(*rows));
    }
}

Result<core::File> SqliteFiles::remove(const AccountId& account, const FileId& id, Timestamp now) {
    return engine_->writer.run([&](Tx& tx) -> Result<core::File> {
        // An expired file is removed like any other: by whoever clears it away.
        auto file = find_file(tx.db, account, id, Timestamp::min());
        if (!file) return file;
        const auto removed = tx.db.run(sql::kRemoveFile, IdBytes(id), now);
        if (!removed) return std::unexpected(removed.error());
        return file;
    });
}

Result<std::vector<core::File>> SqliteFiles::expired(Timestamp now, std::uint32_t count_max) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kExpiredFiles, now, count_max);
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::File> files;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return files;
        files.push_back(read_file(*rows));
    }
}

Result<> SqliteFiles::forget_removed(Timestamp now) {
    const auto done = engine_->writer.run([&](Tx& tx) {
        const auto forgotten = tx.db.run(sql::kForgetFiles, now - kFilePlaceKept);
        return forgotten ? tx.db.run(sql::kForgetFileUploads, now - kFilePlaceKept) : forgotten;
    });
    if (!done) return std::unexpected(done.error());
    return {};
}

Result<std::vector<FileId>> SqliteFiles::absent(std::span<const FileId> ids) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    std::vector<FileId> none;
    for (const FileId& id : ids) {
        auto rows = snapshot->db().query(sql::kHasFile, IdBytes(id));
        if (!rows) return std::unexpected(rows.error());
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) none.push_back(id);
    }
    return none;
}

}  // namespace sheaf::store
