#include "store/sqlite/commit_marks.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "store/sqlite/engine.h"
#include "store/sqlite/packing.h"
#include "store/sqlite/segment_scan.h"
#include "store/sqlite/wal_check.h"

namespace sheaf::store {
namespace {

// The newest segment mostly has marks: a group of commits leaves one in each log that it writes, but for the
// first group after a start.
constexpr std::size_t kSegmentsMax = 2;

// By the salts of a filling of the log: how far it was durable.
using Furthest = std::map<std::uint64_t, std::uint64_t>;

// What cannot be read has no marks.
void look_for_marks(const std::filesystem::path& directory, Furthest& furthest) {
    bool has_marks = false;
    std::vector<std::pair<std::int64_t, std::filesystem::path>> segments;
    (void)each_name(directory, [&](const std::filesystem::path& path) -> Result<> {
        if (const auto number = SegmentLog::number_of(path)) segments.emplace_back(*number, path);
        return {};
    });
    std::ranges::sort(segments, std::greater{});
    segments.resize(std::min(segments.size(), kSegmentsMax));
    for (const auto& [number, path] : segments) {
        if (has_marks) return;
        (void)scan_segment(path, number, [&](const FoundRecord& record) -> Result<> {
            if (record.name.ordinal != kCommitMark) return {};
            const auto bytes = record.read();
            const auto mark = bytes ? unpack_mark(*bytes) : std::nullopt;
            if (mark) furthest[mark->salts] = std::max(furthest[mark->salts], mark->frames);
            has_marks |= mark.has_value();
            return {};
        });
    }
}

Furthest look_for_marks(const Paths& paths) {
    Furthest furthest;
    for (const auto& directory : {paths.log(), paths.bodies()}) look_for_marks(directory, furthest);
    return furthest;
}

std::optional<std::string> lost_of(const WalOnDisk& log, const Furthest& furthest) {
    const auto durable = furthest.find(log.salts);
    if (durable == furthest.end() || durable->second <= log.frames) return std::nullopt;
    return fmt::format("frame {} is damaged, and {} were written", log.frames + 1, durable->second);
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

std::optional<std::string> find_lost_commits(const Paths& paths, const WalOnDisk& log) {
    return lost_of(log, look_for_marks(paths));
}

Result<std::optional<std::string>> find_lost_commits(const Paths& paths) {
    const std::string path = paths.index().string() + "-wal";
    std::error_code none;
    if (std::filesystem::file_size(path, none) == 0 || none) return std::nullopt;
    // The marks first: what they count was there before them.
    const Furthest furthest = look_for_marks(paths);
    const auto log = look_at_wal(path);
    if (!log) return std::unexpected(log.error());
    if (!*log || !lost_of(**log, furthest)) return std::nullopt;
    // A server that fills its log anew writes over the frames that were looked at.
    const auto again = look_at_wal(path);
    if (!again) return std::unexpected(again.error());
    if (!*again || (*again)->salts != (*log)->salts) return std::nullopt;
    return lost_of(**again, furthest);
}

Error lost_commits(const Paths& paths, std::string_view what) {
    return {ErrorCode::corrupt,
            fmt::format("the write-ahead log of the index of {0} has lost commits: {1}; 'sheaf fsck --repair "
                        "--data {0}' builds the index anew",
                        paths.root.string(), what),
            {}};
}

}  // namespace sheaf::store
