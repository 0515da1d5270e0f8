#include "store/sqlite/inspection.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <system_error>

#include <fmt/format.h>

#include "store/sqlite/commit_marks.h"
#include "store/sqlite/statements.h"
#include "store/sqlite/wal_check.h"

namespace sheaf::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kResults = ".jsonl";
constexpr std::string_view kDamaged = ".damaged-";

// But for the headings that SQLite writes between them.
void add_lines(std::string_view text, std::vector<std::string>& lines) {
    for (const auto& part : std::views::split(text, '\n')) {
        const std::string_view line(part);
        if (!line.empty() && !line.starts_with("***")) lines.emplace_back(line);
    }
}

}  // namespace

void Inspection::tell(Fault fault, std::string detail) const {
    parts_.listener->found({fault, std::move(detail)});
}

std::string Inspection::name_of(const fs::path& path) const {
    return path.lexically_relative(parts_.paths->root).string();
}

Result<bool> check_integrity(Connection& db, const Paths& paths, const Listener& listener) {
    const auto log = look_at_wal(paths.index().string() + "-wal");
    if (!log) return std::unexpected(log.error());
    std::optional<std::string> damage;
    if (*log) damage = find_lost_commits(paths, **log);
    if (*log && !damage) damage = (*log)->damage;
    if (damage) listener.found({Fault::index_log_damaged, *damage});
    bool is_sound = !damage;
    // SQLite reads zeros where the last page is cut short; its log may have the whole of it.
    std::error_code ignored;
    auto pages = db.query("PRAGMA page_size");
    if (!pages) return std::unexpected(pages.error());
    if (const auto row = pages->next(); !row) return std::unexpected(row.error());
    const bool has_log = fs::file_size(paths.index().string() + "-wal", ignored) > 0 && !ignored;
    if (!has_log && fs::file_size(paths.index(), ignored) % pages->as<std::uint64_t>(0) != 0) {
        listener.found({Fault::index_damaged, "its last page is cut short"});
        is_sound = false;
    }
    std::vector<std::string> complaints;
    const auto ask = [&](const char* question) -> Result<> {
        auto rows = db.query(question);
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) return {};
            if (question == sql::kIntegrity && rows->bytes(0) == "ok") continue;
            add_lines(rows->bytes(0), complaints);
        }
    };
    for (const char* const question : {sql::kIntegrity, sql::kForeignKeys}) {
        const auto asked = ask(question);
        if (asked) continue;
        if (asked.error().code != ErrorCode::corrupt) return std::unexpected(asked.error());
        complaints.push_back(asked.error().message);
        break;
    }
    if (complaints.empty()) return is_sound;
    std::string detail = complaints.front();
    if (complaints.size() > 1) detail += fmt::format(" (and {} more)", complaints.size() - 1);
    listener.found({Fault::index_damaged, std::move(detail)});
    return false;
}

Result<bool> check_rows(Connection& db, const Listener& listener) {
    auto rows = db.query(sql::kCountUnsound);
    if (!rows) return std::unexpected(rows.error());
    if (const auto more = rows->next(); !more) return std::unexpected(more.error());
    if (rows->number(0) == 0) return true;
    listener.found({Fault::index_damaged, fmt::format("{} rows cannot be what they are", rows->number(0))});
    return false;
}

Result<> Inspection::check_strays() {
    auto rows = parts_.db->query(sql::kStrays);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        if (rows->number(1) > 0)
            tell(Fault::rows_stray, fmt::format("{} {}", rows->number(1), rows->bytes(0)));
    }
}

Result<> Inspection::read_segments() {
    auto table = SegmentTable::read(*parts_.db, *parts_.paths);
    if (!table) return std::unexpected(table.error());
    segments_ = std::move(*table);
    return {};
}

Result<> Inspection::check_batches() {
    const auto total = count_batches(*parts_.db);
    if (!total) return std::unexpected(total.error());
    return each_batch(*parts_.db, [&](const BatchRow& row) -> Result<> {
        if (const auto done = check_batch(row); !done) return done;
        parts_.listener->progress(++checked_.batches, *total);
        return {};
    });
}

Result<> Inspection::check_batch(const BatchRow& row) {
    std::vector<BatchFault> faults;
    const auto found = [&](Fault fault, const core::ItemHead* item, std::string detail) {
        if (!parts_.mend) return parts_.listener->found({fault, std::move(detail), &row.batch, item});
        faults.push_back({fault, std::move(detail), item == nullptr ? std::nullopt : std::optional(*item)});
    };
    BatchCheck check({parts_.db, parts_.paths, parts_.lines, parts_.bodies, &segments_}, row, found);
    if (const auto done = check.run(); !done) return done;
    checked_.items += check.items();
    checked_.results += check.results();
    if (faults.empty()) return {};
    if (const auto mended = parts_.mend(row, faults); !mended) return mended;
    for (BatchFault& each : faults) {
        parts_.listener->found({each.fault, std::move(each.detail), &row.batch,
                                each.item ? &*each.item : nullptr, each.mending});
    }
    return {};
}

Result<> Inspection::check_segments() {
    // When all that was in a lost one was mended, nothing is counted in it any more.
    const auto after =
        parts_.mend ? SegmentTable::read(*parts_.db, *parts_.paths) : Result<SegmentTable>(segments_);
    if (!after) return std::unexpected(after.error());
    const auto tell_lost = [&](Fault fault, const SegmentTable::Name& name, std::string detail) {
        const auto now = after->all().find(name);
        const bool is_mended = parts_.mend && (now == after->all().end() || now->second.live == 0);
        parts_.listener->found({.fault = fault,
                                .detail = std::move(detail),
                                .mending = is_mended ? Mending::mended : Mending::none});
    };
    for (const auto& [name, use] : segments_.all()) {
        const std::string file = SegmentTable::file_of(name);
        const std::uint64_t known = use.is_counted ? use.bytes : use.needed;
        if (use.in_use > 0 && !use.is_there)
            tell_lost(Fault::segment_missing, name, file);
        else if (use.in_use > 0 && use.file_bytes < known)
            tell_lost(Fault::segment_short, name,
                      fmt::format("{}: {} bytes of {}", file, use.file_bytes, known));
        if (use.in_use > use.live || (use.in_use > 0 && use.bytes < use.needed))
            tell(Fault::segment_uncounted,
                 fmt::format("{}: {} records, {} counted", file, use.in_use, use.live));
        if (use.in_use < use.live)
            tell(Fault::segment_spare, fmt::format("{}: {} records, {} counted", file, use.in_use, use.live));
        if (use.is_there && use.file_bytes > use.bytes && use.is_counted && segments_.is_newest(name))
            tell(Fault::log_tail, fmt::format("{}: {} bytes", file, use.file_bytes - use.bytes));
    }
    return {};
}

Result<> Inspection::check_files() {
    const Paths& paths = *parts_.paths;
    const auto at_root = [&](const fs::path& path) -> Result<> {
        constexpr std::array kOurs{"LOCK",         "HOLD",          "INCOMPLETE", "index.db", "index.db-wal",
                                   "index.db-shm", "index.db-mark", "bodies",     "log",      "results",
                                   "spool",        "blobs",         "signing.key"};
        const std::string name = path.filename().string();
        if (name.find(kDamaged) != std::string::npos)
            tell(Fault::kept_copy, name);
        else if (name.starts_with("index.db.building"))
            tell(Fault::leftover, name);
        else if (std::ranges::find(kOurs, name) == kOurs.end())
            tell(Fault::unknown_file, name);
        return {};
    };
    if (const auto done = each_name(paths.root, at_root); !done) return done;
    const auto in_spool = [&](const fs::path& path) -> Result<> {
        tell(Fault::leftover, name_of(path));
        return {};
    };
    if (const auto done = each_name(paths.spool(), in_spool); !done) return done;
    const auto in_log = [&](const fs::path& path) -> Result<> {
        check_segment_file(path, Stream::lines);
        return {};
    };
    if (const auto done = each_name(paths.log(), in_log); !done) return done;
    const auto in_bodies = [&](const fs::path& path) -> Result<> {
        if (path.extension() == ".seg") return check_segment_file(path, Stream::bodies), Result<>{};
        return check_file_of_batch(path, true);
    };
    if (const auto done = each_name(paths.bodies(), in_bodies); !done) return done;
    return each_name(paths.results(), [&](const fs::path& path) { return check_file_of_batch(path, false); });
}

void Inspection::check_segment_file(const fs::path& path, Stream stream) {
    if (path.filename().string().find(kDamaged) != std::string::npos)
        return tell(Fault::kept_copy, name_of(path));
    const auto number = SegmentLog::number_of(path);
    if (!number) return tell(Fault::unknown_file, name_of(path));
    const SegmentTable::Name name{stream, *number};
    if (segments_.all().contains(name)) return;
    // Begun by a commit that never was, or no longer spoken of.
    tell(segments_.is_newest(name) ? Fault::leftover : Fault::unknown_file, name_of(path));
}

// Whether its removal is owed: what a crash left is settled at the next start.
Result<bool> Inspection::is_owed(const BatchId& id, bool is_body) {
    std::error_code ignored;
    const Paths& paths = *parts_.paths;
    if (fs::exists(is_body ? paths.spooled_body(id) : paths.spooled_results(id), ignored)) return true;
    auto rows = parts_.db->query(sql::kFindRemoval, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    return rows->next();
}

Result<> Inspection::check_file_of_batch(const fs::path& path, bool is_body) {
    const std::string name = path.filename().string();
    if (name.find(kDamaged) != std::string::npos) return tell(Fault::kept_copy, name_of(path)), Result<>{};
    const auto id = is_body || path.extension() == kResults
                        ? parse_batch_id(is_body ? name : path.stem().string())
                        : std::nullopt;
    if (!id) return tell(Fault::unknown_file, name_of(path)), Result<>{};
    auto rows = parts_.db->query(sql::kFindBatch, IdBytes(*id));
    if (!rows) return std::unexpected(rows.error());
    const auto found = rows->next();
    if (!found) return std::unexpected(found.error());
    if (*found) {
        const BatchRow row = read_batch(*rows);
        const bool is_needed = is_body ? !row.body_segment : row.batch.results_bytes.has_value();
        if (is_needed && !row.batch.archived_at) return {};
    }
    const auto owed = is_owed(*id, is_body);
    if (!owed) return std::unexpected(owed.error());
    tell(*owed || *found ? Fault::leftover : Fault::stray_file, name_of(path));
    return {};
}

}  // namespace sheaf::store
