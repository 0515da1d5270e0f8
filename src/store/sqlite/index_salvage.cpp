#include "store/sqlite/index_salvage.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sheaf::store {
namespace {

// A statement of SQLite's own, for tables of any shape.
class Statement {
public:
    Statement(sqlite3* handle, const std::string& sql) {
        sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement_, nullptr);
    }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    explicit operator bool() const { return statement_ != nullptr; }
    sqlite3_stmt* get() const { return statement_; }
    int step() const { return sqlite3_step(statement_); }

private:
    sqlite3_stmt* statement_ = nullptr;
};

struct Columns {
    std::vector<std::string> names;
    std::vector<std::string> key;
};

Columns columns_of(sqlite3* handle, const std::string& table) {
    Columns columns;
    const Statement info(handle, fmt::format("PRAGMA table_info({})", table));
    while (info && info.step() == SQLITE_ROW) {
        const std::string name = reinterpret_cast<const char*>(sqlite3_column_text(info.get(), 1));
        columns.names.push_back(name);
        if (sqlite3_column_int(info.get(), 5) > 0) columns.key.push_back(name);
    }
    return columns;
}

// All of the new index but `segments`, which is counted anew.
std::vector<std::string> tables_of(sqlite3* handle) {
    std::vector<std::string> tables;
    const Statement names(
        handle,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' "
        "AND name <> 'segments' ORDER BY rowid");
    while (names && names.step() == SQLITE_ROW)
        tables.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(names.get(), 0)));
    return tables;
}

class Salvage {
public:
    Salvage(sqlite3* from, sqlite3* to, const std::string& table)
        : from_(from), to_(to), table_(table), old_(columns_of(from, table)) {
        // An index of an earlier version has fewer.
        const Columns wanted = columns_of(to, table);
        for (const std::string& name : wanted.names) {
            if (std::ranges::find(old_.names, name) != old_.names.end()) shared_.push_back(name);
        }
    }

    Result<> run() {
        if (shared_.empty()) return {};
        const bool has_rowid =
            static_cast<bool>(Statement(from_, fmt::format("SELECT rowid FROM {} LIMIT 0", table_)));
        return has_rowid ? by_rowid() : by_key();
    }

private:
    std::string select(std::string_view first) const {
        return fmt::format("SELECT {}{} FROM {} NOT INDEXED", first, fmt::join(shared_, ", "), table_);
    }

    Result<> by_rowid() {
        constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
        std::int64_t done = -1;
        bool was_whole = false;
        // Upwards, and over what cannot be read in steps that grow.
        for (std::int64_t step = 0; !was_whole;) {
            if (done > kLast - step - 1) break;
            const std::int64_t before = done + step;
            const auto copied =
                copy_rows(fmt::format("{} WHERE rowid > {} ORDER BY rowid", select("rowid, "), before), 1,
                          &done, &was_whole);
            if (!copied) return std::unexpected(copied.error());
            step = *copied > 0 ? 1 : std::max<std::int64_t>(1, step * 2);
            if (step > (std::int64_t{1} << 60)) break;
        }
        if (was_whole && !skipped_) return {};
        // Downwards, for what the steps passed over.
        const auto copied =
            copy_rows(fmt::format("{} ORDER BY rowid DESC", select("rowid, ")), 1, nullptr, nullptr);
        if (!copied) return std::unexpected(copied.error());
        return {};
    }

    Result<> by_key() {
        bool was_whole = false;
        auto copied = copy_rows(select(""), 0, nullptr, &was_whole);
        if (!copied) return std::unexpected(copied.error());
        if (was_whole) return {};
        std::vector<std::string> downwards;
        for (const std::string& name : old_.key) downwards.push_back(name + " DESC");
        copied = copy_rows(fmt::format("{} ORDER BY {}", select(""), fmt::join(downwards, ", ")), 0, nullptr,
                           nullptr);
        if (!copied) return std::unexpected(copied.error());
        return {};
    }

    // How many rows could be read. `last`: the rowid of the last of them.
    Result<std::uint64_t> copy_rows(const std::string& sql, int first_column, std::int64_t* last,
                                    bool* was_whole) {
        const Statement read(from_, sql);
        if (!read) return 0;
        const std::vector<std::string> marks(shared_.size(), "?");
        const Statement write(to_, fmt::format("INSERT OR IGNORE INTO {}({}) VALUES({})", table_,
                                               fmt::join(shared_, ", "), fmt::join(marks, ", ")));
        if (!write) return fail(ErrorCode::internal, fmt::format("the new index: {}", sqlite3_errmsg(to_)));
        std::uint64_t count = 0;
        int code = SQLITE_OK;
        while ((code = read.step()) == SQLITE_ROW) {
            for (std::size_t at = 0; at < shared_.size(); ++at) {
                sqlite3_bind_value(write.get(), static_cast<int>(at) + 1,
                                   sqlite3_column_value(read.get(), static_cast<int>(at) + first_column));
            }
            // A row that breaks a rule of the table is damaged, too.
            const int written = write.step();
            sqlite3_reset(write.get());
            if (written != SQLITE_DONE && (written & 0xff) != SQLITE_CONSTRAINT)
                return fail((written & 0xff) == SQLITE_FULL ? ErrorCode::no_space : ErrorCode::unavailable,
                            fmt::format("the new index: {}", sqlite3_errmsg(to_)));
            if (last != nullptr) *last = sqlite3_column_int64(read.get(), 0);
            ++count;
        }
        if (was_whole != nullptr) *was_whole = code == SQLITE_DONE;
        if (code != SQLITE_DONE) skipped_ = true;
        return count;
    }

    sqlite3* from_;
    sqlite3* to_;
    std::string table_;
    Columns old_;
    std::vector<std::string> shared_;
    bool skipped_ = false;
};

}  // namespace

Result<> salvage_what_is_missing(Connection& damaged, Connection& fresh) {
    for (const char* const table :
         {"api_keys", "webhooks", "assets", "uploads", "chunks", "files", "file_parts", "file_uploads"}) {
        if (const auto done = Salvage(damaged.raw(), fresh.raw(), table).run(); !done) return done;
    }
    return {};
}

Result<> salvage_rows(Connection& damaged, Connection& fresh) {
    for (const std::string& table : tables_of(fresh.raw())) {
        if (const auto done = Salvage(damaged.raw(), fresh.raw(), table).run(); !done) return done;
    }
    return {};
}

}  // namespace sheaf::store
