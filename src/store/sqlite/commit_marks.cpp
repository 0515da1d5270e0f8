#include "store/sqlite/commit_marks.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/wal_check.h"

namespace sheaf::store {
namespace {

// The salts, the frames, and a CRC-32C of both in the lower half of the last; native byte order.
using MarkOnDisk = std::array<std::uint64_t, 3>;

std::uint64_t sum_of(const MarkOnDisk& mark) {
    return crc32c({reinterpret_cast<const char*>(mark.data()), 2 * sizeof mark[0]});
}

// Nothing where no mark can be read: then nothing is known.
std::optional<CommitMark> read_mark(const Paths& paths) {
    const auto file = open_for_read(paths.commit_mark());
    MarkOnDisk mark{};
    if (!file || !read_at(file->fd(), reinterpret_cast<char*>(mark.data()), sizeof mark, 0)) return {};
    if (mark[2] != sum_of(mark)) return {};
    return CommitMark{.salts = mark[0], .frames = mark[1]};
}

std::optional<std::string> lost_of(const WalOnDisk& log, const std::optional<CommitMark>& durable) {
    if (!durable || durable->salts != log.salts || durable->frames <= log.frames) return std::nullopt;
    return fmt::format("frame {} is damaged, and {} were written", log.frames + 1, durable->frames);
}

}  // namespace

CommitMarks::CommitMarks(const Paths& paths, Disk& disk)
    : file_(::open(paths.commit_mark().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), disk_(&disk) {
    if (!file_) {
        log::warning("damage in the write-ahead log may not be found",
                     {{"file", paths.commit_mark().string()}, {"why", std::strerror(errno)}});
        return;
    }
    // Whoever owns the index owns it, though root may be the first to open it.
    struct stat index{};
    if (::geteuid() == 0 && ::stat(paths.index().c_str(), &index) == 0)
        (void)::fchown(file_.fd(), index.st_uid, index.st_gid);
}

void CommitMarks::put(const CommitMark& mark) {
    if (!file_) return;
    MarkOnDisk bytes{mark.salts, mark.frames, 0};
    bytes[2] = sum_of(bytes);
    (void)disk_->write_at(file_.fd(), {reinterpret_cast<const char*>(bytes.data()), sizeof bytes}, 0);
}

std::optional<std::string> find_lost_commits(const Paths& paths, const WalOnDisk& log) {
    return lost_of(log, read_mark(paths));
}

Result<std::optional<std::string>> find_lost_commits(const Paths& paths) {
    const std::string path = paths.index().string() + "-wal";
    std::error_code none;
    if (std::filesystem::file_size(path, none) == 0 || none) return std::nullopt;
    // The mark first: what it counts was there before it.
    const auto durable = read_mark(paths);
    const auto log = look_at_wal(path);
    if (!log) return std::unexpected(log.error());
    if (!*log || !lost_of(**log, durable)) return std::nullopt;
    // A server that fills its log anew writes over the frames that were looked at.
    const auto again = look_at_wal(path);
    if (!again) return std::unexpected(again.error());
    if (!*again || (*again)->salts != (*log)->salts) return std::nullopt;
    return lost_of(**again, durable);
}

Error lost_commits(const Paths& paths, std::string_view what) {
    return {ErrorCode::corrupt,
            fmt::format("the write-ahead log of the index of {0} has lost commits: {1}; 'sheaf fsck --repair "
                        "--data {0}' builds the index anew",
                        paths.root.string(), what),
            {}};
}

}  // namespace sheaf::store
