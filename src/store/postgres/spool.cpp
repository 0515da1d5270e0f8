#include "store/postgres/spool.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sheaf::store::postgres {

Result<> write_at(int fd, std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            const ErrorCode code =
                errno == ENOSPC || errno == EDQUOT ? ErrorCode::no_space : ErrorCode::unavailable;
            return fail(code, std::string("cannot write to the spool: ") + std::strerror(errno));
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
    return {};
}

Result<> TemporarySpool::append(std::string_view bytes) {
    if (!file_ && memory_.size() + bytes.size() <= kMemoryMax) {
        memory_ += bytes;
        return {};
    }
    if (!file_) {
        auto file = engine_->temporary_file();
        if (!file) return std::unexpected(file.error());
        file_ = std::move(*file);
        if (const auto written = write_at(file_->fd(), memory_, 0); !written) return written;
        size_ = memory_.size();
        memory_ = {};
    }
    if (const auto written = write_at(file_->fd(), bytes, size_); !written) return written;
    size_ += bytes.size();
    return {};
}

Result<> TemporarySpool::share(int fd, std::uint64_t bytes) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return fail(ErrorCode::unavailable, "cannot look at the body's file");
    if (static_cast<std::uint64_t>(status.st_size) < bytes)
        return fail(ErrorCode::corrupt, "a file is shorter than it should be");
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return fail(ErrorCode::unavailable, "cannot keep the body's file open");
    file_ = std::make_shared<const Descriptor>(copy);
    size_ = bytes;
    return {};
}

Result<std::string_view> TemporarySpool::bytes() {
    if (!file_ || size_ == 0) return memory_;
    return mapped_.view(file_->fd(), size_);
}

}  // namespace sheaf::store::postgres
