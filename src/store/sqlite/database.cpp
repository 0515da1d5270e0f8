#include "store/sqlite/database.h"

#include <system_error>

#include <fmt/format.h>

#include "store/sqlite/page_checks.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr int kBusyTimeoutMs = 20'000;
constexpr sqlite3_int64 kPageBytes = 4'096;  // what SQLite makes

constexpr const char* kWriterSettings =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
    "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-65536; PRAGMA foreign_keys=OFF;"
    "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON;";
constexpr const char* kReaderSettings =
    "PRAGMA query_only=1; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0;";

constexpr const char* kLookerSettings =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=0;";

// A path as a URI that SQLite opens (https://www.sqlite.org/uri.html).
std::string uri_of(const std::filesystem::path& path) {
    std::string uri = "file:";
    for (const char c : path.string()) {
        if (c == '%' || c == '?' || c == '#')
            uri += fmt::format("%{:02X}", static_cast<unsigned>(c));
        else
            uri += c;
    }
    return uri;
}

}  // namespace

Result<bool> Rows::next() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return std::unexpected(connection_->error(code));
}

std::string_view Rows::bytes(int column) const {
    const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

void Rows::reset() {
    if (statement_ != nullptr) sqlite3_reset(statement_);
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& path, Mode mode,
                                                     Disk& disk) {
    if (mode == Mode::look) return open_to_look(path, disk, checked_pages());
    if (mode == Mode::look_past_checks) return open_to_look(path, disk, nullptr);
    sqlite3* handle = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, checked_pages());
    std::unique_ptr<Connection> connection(new Connection(handle, disk));
    if (code != SQLITE_OK) return std::unexpected(connection->error(code));
    if (mode == Mode::write) reserve_room_for_checks(handle);
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, kBusyTimeoutMs);
    const auto set = connection->execute(mode == Mode::write ? kWriterSettings : kReaderSettings);
    if (!set) return std::unexpected(set.error());
    if (mode == Mode::beside) sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    if (mode == Mode::write) {
        sqlite3_wal_hook(
            handle,
            [](void* self, sqlite3*, const char*, int pages) {
                auto& connection = *static_cast<Connection*>(self);
                connection.log_pages_ = pages;
                ++connection.commits_;
                return SQLITE_OK;
            },
            connection.get());
    }
    return connection;
}

// Without a write-ahead log the file is all there is, and SQLite need not lock or make anything. With one its
// frames are read into memory (an exclusive lock needs no shared file), and closing must neither copy them
// into the database nor remove them.
Result<std::unique_ptr<Connection>> Connection::open_to_look(const std::filesystem::path& path, Disk& disk,
                                                             const char* vfs) {
    std::error_code none;
    const auto log_bytes = std::filesystem::file_size(path.string() + "-wal", none);
    const bool has_log = !none && log_bytes > 0;
    const std::string name = has_log ? path.string() : uri_of(path) + "?immutable=1";
    const int flags = has_log ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, vfs);
    std::unique_ptr<Connection> connection(new Connection(handle, disk));
    connection->only_looks_ = true;
    if (code != SQLITE_OK) return std::unexpected(connection->error(code));
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    if (const auto set = connection->execute(kLookerSettings); !set) return std::unexpected(set.error());
    return connection;
}

Result<std::unique_ptr<Connection>> Connection::copy_to(const std::filesystem::path& path, Disk& disk) {
    sqlite3* handle = nullptr;
    const int opened =
        sqlite3_open_v2(path.c_str(), &handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, checked_pages());
    std::unique_ptr<Connection> copy(new Connection(handle, disk));
    copy->only_looks_ = only_looks_;
    if (opened != SQLITE_OK) return std::unexpected(copy->error(opened));
    sqlite3_extended_result_codes(handle, 1);
    check_copied_pages(handle_, handle);
    sqlite3_backup* const backup = sqlite3_backup_init(handle, "main", handle_, "main");
    if (backup == nullptr) return std::unexpected(copy->error(sqlite3_errcode(handle)));
    // In one step: between steps another process may write, and it would begin anew.
    const int stepped = sqlite3_backup_step(backup, -1);
    const int finished = sqlite3_backup_finish(backup);
    if (stepped != SQLITE_DONE) return std::unexpected(error(stepped == SQLITE_OK ? finished : stepped));
    if (finished != SQLITE_OK) return std::unexpected(copy->error(finished));
    return copy;
}

Connection::~Connection() {
    for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close_v2(handle_);
}

Result<> Connection::execute(const char* script) {
    const int code = sqlite3_exec(handle_, script, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return std::unexpected(error(code));
    return {};
}

Result<> Connection::commit() {
    auto done = command(sql::kCommit);
    if (done) return done;
    const int code = sqlite3_extended_errcode(handle_) & 0xff;
    if (code == SQLITE_FULL || code == SQLITE_BUSY) return done;
    disk_->mark_broken(done.error().message);
    return fail(ErrorCode::unavailable, done.error().message);
}

Result<> Connection::checkpoint() {
    const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (code == SQLITE_OK || code == SQLITE_BUSY) return {};
    return std::unexpected(error(code));
}

Result<bool> Connection::empty_log() {
    sqlite3_busy_timeout(handle_, 0);  // no writer waits for a reader
    const int code =
        sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
    if (code != SQLITE_OK && code != SQLITE_BUSY) return std::unexpected(error(code));
    if (code != SQLITE_OK) return false;
    log_pages_ = 0;
    // Pages in memory still have what the file layer left out of the file, and would bring it into the log.
    sqlite3_db_release_memory(handle_);
    return true;
}

std::optional<CommitMark> Connection::log_end() {
    sqlite3_file* log = nullptr;
    const int code =
        sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
    if (code != SQLITE_OK || log == nullptr || log->pMethods == nullptr || log_pages_ == 0)
        return std::nullopt;
    // The salts of the very frame: https://www.sqlite.org/fileformat2.html#walformat
    constexpr sqlite3_int64 kHeaderBytes = 32, kFrameHeaderBytes = 24, kSaltsAt = 8;
    const sqlite3_int64 frame = kHeaderBytes + (log_pages_ - 1) * (kFrameHeaderBytes + kPageBytes);
    CommitMark mark{.frames = static_cast<std::uint64_t>(log_pages_)};
    if (log->pMethods->xRead(log, &mark.salts, sizeof mark.salts, frame + kSaltsAt) != SQLITE_OK)
        return std::nullopt;
    return mark;
}

Result<sqlite3_stmt*> Connection::prepare(const char* sql) {
    sqlite3_stmt*& statement = statements_[sql];
    if (statement == nullptr) {
        const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
        if (code != SQLITE_OK) {
            statements_.erase(sql);
            return std::unexpected(error(code));
        }
    }
    return statement;
}

Error Connection::error(int code) {
    const std::string message =
        code == SQLITE_IOERR_DATA
            ? "a page of the index is not what was written; 'sheaf fsck --repair' builds it anew"
            : fmt::format("the index: {} ({})", sqlite3_errmsg(handle_), code);
    // SQLite reports a wal-index that cannot grow as an I/O error; nothing was written then.
    if (code == SQLITE_IOERR_SHMSIZE) return {ErrorCode::no_space, message, {}};
    const bool is_damaged =
        code == SQLITE_IOERR_DATA || (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
    if (is_damaged) {
        if (!only_looks_) disk_->mark_broken(message);
        return {ErrorCode::corrupt, message, {}};
    }
    switch (code & 0xff) {
        case SQLITE_FULL:
            return {ErrorCode::no_space, message, {}};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_NOMEM:
        case SQLITE_CANTOPEN:
            return {ErrorCode::unavailable, message, {}};
        case SQLITE_IOERR:
            disk_->mark_broken(message);
            return {ErrorCode::unavailable, message, {}};
        case SQLITE_CONSTRAINT:
            return {ErrorCode::conflict, message, {}};
        default:
            return {ErrorCode::internal, message, {}};
    }
}

}  // namespace sheaf::store
