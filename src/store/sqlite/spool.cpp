#include "store/sqlite/spool.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace sheaf::store {
namespace {

constexpr std::size_t kCopiedAtOnce = std::size_t{1} << 20;
constexpr std::uint64_t kWrittenOutAtOnce = std::uint64_t{8} << 20;

}  // namespace

FileSpool::~FileSpool() {
    if (file_ && is_ours_) (void)disk_->remove(path_);
}

Result<> FileSpool::append(std::string_view bytes) {
    if (!file_ && memory_.size() + bytes.size() <= kMemoryMax) {
        memory_ += bytes;
        return {};
    }
    if (!file_) {
        auto file = disk_->create(path_);
        if (!file) return std::unexpected(file.error());
        file_ = std::move(*file);
        if (const auto written = disk_->write_at(file_.fd(), memory_, 0); !written) return written;
        size_ = memory_.size();
        memory_ = {};
    }
    if (const auto written = disk_->write_at(file_.fd(), bytes, size_); !written) return written;
    size_ += bytes.size();
    if (size_ - written_out_ >= kWrittenOutAtOnce) {
        disk_->start_write_out(file_.fd(), written_out_, size_ - written_out_);
        written_out_ = size_;
    }
    return {};
}

Result<> FileSpool::share(int fd, std::uint64_t bytes) {
    if (bytes <= kMemoryMax) {
        memory_.resize(bytes);
        return read_at(fd, memory_.data(), bytes, 0);
    }
    const auto size = size_of(fd);
    if (!size) return std::unexpected(size.error());
    if (*size < bytes) return fail(ErrorCode::corrupt, "a file is shorter than it should be");
    // By its descriptor: whoever removes the file's name meanwhile takes nothing away from us.
    const std::string source = "/proc/self/fd/" + std::to_string(fd);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) == 0) {
        auto file = open_for_read(path_);
        if (!file) return std::unexpected(file.error());
        file_ = std::move(*file);
        size_ = bytes;
        return {};
    }
    // On another file system, or its last name is gone already.
    std::string piece(kCopiedAtOnce, '\0');
    for (std::uint64_t at = 0; at < bytes; at += piece.size()) {
        piece.resize(std::min<std::uint64_t>(kCopiedAtOnce, bytes - at));
        if (const auto got = read_at(fd, piece.data(), piece.size(), at); !got) return got;
        if (const auto added = append(piece); !added) return added;
    }
    return {};
}

Result<std::string_view> FileSpool::bytes() {
    if (!file_) return memory_;
    return mapped_.view(file_.fd(), size_);
}

}  // namespace sheaf::store
