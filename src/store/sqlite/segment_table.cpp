#include "store/sqlite/segment_table.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "store/sqlite/statements.h"

namespace sheaf::store {

Result<SegmentTable> SegmentTable::read(Connection& db, const Paths& paths) {
    SegmentTable table;
    auto rows = db.query(sql::kSegments);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        SegmentUse& use = table.uses_[{rows->as<Stream>(0), rows->number(1)}];
        use.is_counted = true;
        use.bytes = rows->as<std::uint64_t>(2);
        use.live = rows->number(3);
    }
    for (auto& [name, use] : table.uses_) {
        std::error_code error;
        const auto bytes = std::filesystem::file_size(paths.root / file_of(name), error);
        use.is_there = !error;
        if (!error) use.file_bytes = bytes;
    }
    return table;
}

bool SegmentTable::use(Stream stream, const Place& place) {
    SegmentUse& use = uses_[{stream, place.segment}];
    ++use.in_use;
    const std::uint64_t known = std::max(use.bytes, use.file_bytes);
    const std::uint64_t whole = SegmentLog::kHeaderBytes + place.bytes;
    if (place.bytes > known || whole > known || place.start > known - whole) return false;
    use.needed = std::max(use.needed, place.start + whole);
    return true;
}

bool SegmentTable::is_newest(const Name& name) const {
    const auto next = uses_.upper_bound(name);
    return next == uses_.end() || next->first.first != name.first;
}

Result<> recount_segments(Connection& db, const Paths& paths, const Listener& listener) {
    auto table = SegmentTable::read(db, paths);
    if (!table) return std::unexpected(table.error());
    std::map<SegmentTable::Name, SegmentUse> uses = table->all();
    auto rows = db.query(sql::kRecordsInUse);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        const auto known = uses.find({rows->as<Stream>(0), rows->number(1)});
        // A place in no segment is the fault of the row.
        if (known == uses.end()) continue;
        SegmentUse& use = known->second;
        use.in_use += rows->number(2);
        use.needed = std::max(use.needed, rows->as<std::uint64_t>(3) + SegmentLog::kHeaderBytes);
    }
    for (const auto& [name, use] : uses) {
        const bool reaches_beyond = use.needed > use.bytes && use.needed <= use.file_bytes;
        if (use.in_use == use.live && !reaches_beyond) continue;
        const std::uint64_t bytes = reaches_beyond ? use.needed : use.bytes;
        const auto set = db.run(sql::kSetSegment, name.first, name.second, bytes, use.in_use);
        if (!set) return std::unexpected(set.error());
        const bool is_safe = use.in_use < use.live && !reaches_beyond;
        listener.found(
            {is_safe ? Fault::segment_spare : Fault::segment_uncounted,
             fmt::format("{}: {} records, {} counted", SegmentTable::file_of(name), use.in_use, use.live)});
    }
    return {};
}

std::string SegmentTable::file_of(const Name& name) {
    return fmt::format("{}/{:08}.seg", name.first == Stream::lines ? "log" : "bodies", name.second);
}

}  // namespace sheaf::store
