#include "blob/local/files.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

namespace sheaf::blob {
namespace {

constexpr std::size_t kCopyBytesMax = std::size_t{64} << 20;
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

ErrorCode code_of(int code) {
    switch (code) {
        case ENOENT:
            return ErrorCode::not_found;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return ErrorCode::no_space;
        case EISDIR:
        case ENOTDIR:
        case EEXIST:
        case ENOTEMPTY:
            return ErrorCode::conflict;
        default:
            return ErrorCode::unavailable;
    }
}

// What says that this pair of files cannot be copied in the kernel, and not that copying failed.
bool must_copy_by_hand(int code) {
    return code == EOPNOTSUPP || code == EINVAL || code == EXDEV || code == ENOSYS || code == EPERM;
}

Result<> append_through_buffer(int to, int from) {
    std::vector<char> buffer(kBufferBytes);
    while (true) {
        const auto count = ::read(from, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::unexpected(error_of(errno, "read"));
        if (count == 0) return {};
        const auto size = static_cast<std::size_t>(count);
        if (const auto written = write_all(to, {buffer.data(), size}); !written) return written;
    }
}

}  // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

Result<> Descriptor::close() {
    if (::close(release()) != 0 && errno != EINTR) return std::unexpected(error_of(errno, "closed"));
    return {};
}

Error error_of(int code, std::string_view doing) {
    return {code_of(code),
            fmt::format("A file could not be {}: {}.", doing, std::generic_category().message(code)),
            {}};
}

Result<> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::unexpected(error_of(errno, "written"));
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<> sync_data(int fd) {
    if (::fdatasync(fd) != 0) return std::unexpected(error_of(errno, "made durable"));
    return {};
}

Result<> sync_directory(int directory) {
    if (::fsync(directory) != 0) return std::unexpected(error_of(errno, "made durable"));
    return {};
}

Result<> append_file(int to, int from) {
    while (true) {
        const auto count = ::copy_file_range(from, nullptr, to, nullptr, kCopyBytesMax, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && !must_copy_by_hand(errno)) return std::unexpected(error_of(errno, "written"));
        if (count <= 0) break;
    }
    // Also after an apparent end: some file systems answer 0 instead of an error. Reading settles it.
    return append_through_buffer(to, from);
}

}  // namespace sheaf::blob
