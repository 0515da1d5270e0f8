#include "store/sqlite/commit_marks.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "store/sqlite/engine.h"
#include "store/sqlite/packing.h"
#include "store/sqlite/segment_scan.h"
#include "store/sqlite/wal_check.h"

namespace sheaf::store {
namespace {

// The furthest of those in one segment that are of this filling of the log; no value: it has no marks at all.
Result<std::optional<std::uint64_t>> furthest_in(const std::filesystem::path& path, std::int64_t number,
                                                 std::uint64_t salts) {
    std::optional<std::uint64_t> furthest;
    const auto look = [&](const FoundRecord& record) -> Result<> {
        if (record.name.ordinal != kCommitMark) return {};
        const auto bytes = record.read();
        if (!bytes) return std::unexpected(bytes.error());
        const auto mark = unpack_mark(*bytes);
        if (!mark) return {};
        furthest = std::max(furthest.value_or(0), mark->salts == salts ? mark->frames : 0);
        return {};
    };
    if (const auto scanned = scan_segment(path, number, look); !scanned)
        return std::unexpected(scanned.error());
    return furthest;
}

// In the newest segment that has any: a group of commits that begins a segment leaves one there.
Result<std::uint64_t> furthest_in_log(const std::filesystem::path& directory, std::uint64_t salts) {
    std::vector<std::pair<std::int64_t, std::filesystem::path>> segments;
    const auto listed = each_name(directory, [&](const std::filesystem::path& path) -> Result<> {
        if (const auto number = SegmentLog::number_of(path)) segments.emplace_back(*number, path);
        return {};
    });
    if (!listed) return std::unexpected(listed.error());
    std::ranges::sort(segments, std::greater{});
    for (const auto& [number, path] : segments) {
        const auto furthest = furthest_in(path, number, salts);
        if (!furthest) return std::unexpected(furthest.error());
        if (*furthest) return **furthest;
    }
    return 0;
}

}  // namespace

std::string pack_mark(const CommitMark& mark) {
    Packer to;
    to.number(mark.salts);
    to.number(mark.frames);
    return to.take();
}

std::optional<CommitMark> unpack_mark(std::string_view bytes) {
    Unpacker from(bytes);
    CommitMark mark;
    mark.salts = from.number();
    mark.frames = from.number();
    if (from.failed()) return std::nullopt;
    return mark;
}

Result<std::optional<std::string>> find_lost_commits(const Paths& paths) {
    const std::string path = paths.index().string() + "-wal";
    const auto log = look_at_wal(path);
    if (!log) return std::unexpected(log.error());
    if (!*log) return std::nullopt;
    std::uint64_t durable = 0;
    for (const auto& directory : {paths.log(), paths.bodies()}) {
        const auto furthest = furthest_in_log(directory, (*log)->salts);
        if (!furthest) return std::unexpected(furthest.error());
        durable = std::max(durable, *furthest);
    }
    if (durable <= (*log)->frames) return std::nullopt;
    // A server that fills its log anew writes over the frames that were looked at.
    const auto again = look_at_wal(path);
    if (!again) return std::unexpected(again.error());
    if (!*again || (*again)->salts != (*log)->salts) return std::nullopt;
    return fmt::format("frame {} is damaged, and {} were written", (*log)->frames + 1, durable);
}

}  // namespace sheaf::store
