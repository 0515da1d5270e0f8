#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/result.h"
#include "store/sqlite/commit_marks.h"
#include "store/sqlite/disk.h"

namespace sheaf::store {

// Bytes to bind, as opposed to text.
struct Bytes {
    std::string_view view;
};

// A prepared statement on its way through its rows; resets it in the end. At most one at a time per SQL text
// and connection.
class Rows {
public:
    Rows(sqlite3_stmt* statement, class Connection* connection)
        : statement_(statement), connection_(connection) {}
    ~Rows() { reset(); }
    Rows(Rows&& other) noexcept
        : statement_(std::exchange(other.statement_, nullptr)), connection_(other.connection_) {}
    Rows& operator=(Rows&&) = delete;

    // Moves to the next row; false when there is none.
    Result<bool> next();

    bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
    std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
    template <class T>
    T as(int column) const {
        return static_cast<T>(sqlite3_column_int64(statement_, column));
    }
    double real(int column) const { return sqlite3_column_double(statement_, column); }
    // Valid until the next call of next().
    std::string_view bytes(int column) const;
    std::string text(int column) const { return std::string(bytes(column)); }
    Timestamp time(int column) const { return Timestamp{std::chrono::milliseconds{number(column)}}; }
    std::optional<Timestamp> time_or_null(int column) const {
        if (is_null(column)) return std::nullopt;
        return time(column);
    }

private:
    void reset();

    sqlite3_stmt* statement_;
    Connection* connection_;
};

// One SQLite connection and its prepared statements. Belongs to one thread at a time.
class Connection {
public:
    enum class Mode {
        write,
        read,
        // Reads while another process may be writing, and leaves the write-ahead log to it, at the end too.
        beside,
        // For who holds the directory's lock: what is on the disk now, the write-ahead log included, without
        // changing a byte and without a shared file. Nothing may be written.
        look,
        // The same, whatever the checksums of the pages say: for what can be saved of a damaged index.
        look_past_checks,
    };
    // `disk` is told of failed syncs.
    static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path, Mode mode, Disk& disk);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // `sql` must be a constant: its address is the statement's name. Bound text must outlive the rows.
    template <class... Args>
    Result<Rows> query(const char* sql, const Args&... args) {
        const auto statement = prepare(sql);
        if (!statement) return std::unexpected(statement.error());
        int at = 0;
        int code = SQLITE_OK;
        ((code = code == SQLITE_OK ? bind(*statement, ++at, args) : code), ...);
        if (code != SQLITE_OK) return std::unexpected(error(code));
        return Rows(*statement, this);
    }
    // Runs to the end; how many rows it changed.
    template <class... Args>
    Result<int> run(const char* sql, const Args&... args) {
        auto rows = query(sql, args...);
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) return sqlite3_changes(handle_);
        }
    }
    // The same for a statement that changes no rows by itself, such as COMMIT.
    Result<> command(const char* sql) {
        if (const auto done = run(sql); !done) return std::unexpected(done.error());
        return {};
    }
    Result<> execute(const char* script);
    // Ends a transaction. One that fails for lack of room or for a lock is undone. After any other failure
    // its frames may stand whole in the write-ahead log, and the next start would take them for committed:
    // that breaks the disk, and only the next start knows.
    Result<> commit();

    // All of it as one moment has it, into a new file or, where `path` is empty, into a temporary one. Others
    // may go on writing meanwhile.
    Result<std::unique_ptr<Connection>> copy_to(const std::filesystem::path& path, Disk& disk);

    // For tables of any shape.
    sqlite3* raw() { return handle_; }
    std::int64_t last_insert_row() const { return sqlite3_last_insert_rowid(handle_); }
    bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
    // Copies what the write-ahead log holds into the database, as far as readers allow.
    Result<> checkpoint();
    // The same, and empties the log. False when a reader stood in the way.
    Result<bool> empty_log();
    // Pages in the write-ahead log after the last commit.
    int log_pages() const { return log_pages_; }
    // Commits that changed anything, so far.
    std::uint64_t commits() const { return commits_; }
    // Where the write-ahead log ends after a commit, before anyone may have begun to fill it anew.
    std::optional<CommitMark> log_end();
    // What a result code of SQLite means to our callers. A failed sync or write breaks the disk; so does a
    // damaged index, unless it was opened to look.
    Error error(int code);

private:
    Connection(sqlite3* handle, Disk& disk) : handle_(handle), disk_(&disk) {}
    static Result<std::unique_ptr<Connection>> open_to_look(const std::filesystem::path& path, Disk& disk,
                                                            const char* vfs);
    Result<sqlite3_stmt*> prepare(const char* sql);

    template <std::integral T>
    static int bind(sqlite3_stmt* statement, int at, T value) {
        return sqlite3_bind_int64(statement, at, static_cast<std::int64_t>(value));
    }
    template <class T>
        requires std::is_enum_v<T>
    static int bind(sqlite3_stmt* statement, int at, T value) {
        return sqlite3_bind_int64(statement, at, static_cast<std::int64_t>(value));
    }
    static int bind(sqlite3_stmt* statement, int at, double value) {
        return sqlite3_bind_double(statement, at, value);
    }
    static int bind(sqlite3_stmt* statement, int at, std::string_view value) {
        // A null pointer would be bound as NULL.
        return sqlite3_bind_text64(statement, at, value.data() == nullptr ? "" : value.data(), value.size(),
                                   SQLITE_STATIC, SQLITE_UTF8);
    }
    static int bind(sqlite3_stmt* statement, int at, const std::string& value) {
        return bind(statement, at, std::string_view(value));
    }
    static int bind(sqlite3_stmt* statement, int at, Bytes value) {
        return sqlite3_bind_blob64(statement, at, value.view.data(), value.view.size(), SQLITE_TRANSIENT);
    }
    static int bind(sqlite3_stmt* statement, int at, Timestamp value) {
        return sqlite3_bind_int64(statement, at, value.time_since_epoch().count());
    }
    static int bind(sqlite3_stmt* statement, int at, std::nullopt_t) {
        return sqlite3_bind_null(statement, at);
    }
    template <class T>
    static int bind(sqlite3_stmt* statement, int at, const std::optional<T>& value) {
        return value ? bind(statement, at, *value) : sqlite3_bind_null(statement, at);
    }

    sqlite3* handle_;
    Disk* disk_;
    int log_pages_ = 0;
    std::uint64_t commits_ = 0;
    bool only_looks_ = false;  // a damaged index is what it may have been opened for
    std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

}  // namespace sheaf::store
