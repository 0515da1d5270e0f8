#include "store/sqlite/disk.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

namespace sheaf::store {
namespace {

std::string reason(int error) {
    return std::generic_category().message(error);
}

}  // namespace

File::~File() {
    if (fd_ >= 0) ::close(fd_);
}

Result<> Disk::usable() const {
    if (!broken_.load(std::memory_order_acquire)) return {};
    const std::scoped_lock lock(mutex_);
    return fail(ErrorCode::unavailable, "the store stopped writing: " + why_);
}

void Disk::mark_broken(std::string why) {
    const std::scoped_lock lock(mutex_);
    if (broken_.load(std::memory_order_relaxed)) return;
    log::error("the store stops accepting writes", {{"reason", why}});
    why_ = std::move(why);
    broken_.store(true, std::memory_order_release);
}

Error Disk::failed(std::string_view what, int error) {
    const std::string message = fmt::format("cannot {}: {}", what, reason(error));
    if (error == ENOSPC || error == EDQUOT) return {ErrorCode::no_space, message, {}};
    if (error == EMFILE || error == ENFILE || error == ENOMEM) return {ErrorCode::unavailable, message, {}};
    mark_broken(message);
    return {ErrorCode::unavailable, message, {}};
}

Result<File> Disk::create(const std::filesystem::path& path) {
    File file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) return std::unexpected(failed("create " + path.string(), errno));
    return file;
}

Result<> Disk::write_at(int fd, std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t written = write_some(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return std::unexpected(failed("write", written == 0 ? ENOSPC : errno));
        bytes.remove_prefix(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
    return {};
}

void Disk::start_write_out(int fd, std::uint64_t offset, std::uint64_t bytes) {
    (void)::sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE);
}

Result<> Disk::truncate(int fd, std::uint64_t bytes) {
    if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return std::unexpected(failed("truncate", errno));
    return {};
}

Result<> Disk::reserve(int fd, std::uint64_t bytes) {
    if (keep_room(fd, static_cast<off_t>(bytes)) == 0 || errno == EOPNOTSUPP) return {};
    return std::unexpected(failed("reserve room", errno));
}

Result<> Disk::sync(int fd, std::string_view what) {
    if (const auto ready = usable(); !ready) return ready;
    if (flush(fd) == 0) return {};
    const std::string message = fmt::format("cannot sync {}: {}", what, reason(errno));
    mark_broken(message);
    return fail(ErrorCode::unavailable, message);
}

Result<> Disk::sync_directory(const std::filesystem::path& path) {
    const File directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return std::unexpected(failed("open " + path.string(), errno));
    return sync(directory.fd(), path.string());
}

Result<> Disk::make_directory(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), 0700) == 0) {
        const std::filesystem::path parent = path.parent_path();
        return sync_directory(parent.empty() ? "." : parent);
    }
    if (errno == EEXIST) return {};
    return std::unexpected(failed("make " + path.string(), errno));
}

Result<> Disk::link(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::link(from.c_str(), to.c_str()) != 0) return std::unexpected(failed("link " + to.string(), errno));
    return {};
}

Result<> Disk::remove(const std::filesystem::path& path) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return std::unexpected(failed("remove " + path.string(), errno));
}

Result<> Disk::erase(int fd, std::uint64_t offset, std::uint64_t bytes) {
    if (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(bytes)) == 0) {
        return {};
    }
    if (errno != EOPNOTSUPP) return std::unexpected(failed("erase a range", errno));
    const std::string zeros(std::size_t{64} << 10, '\0');
    while (bytes > 0) {
        const std::size_t part = std::min<std::uint64_t>(bytes, zeros.size());
        if (const auto done = write_at(fd, std::string_view(zeros).substr(0, part), offset); !done)
            return done;
        offset += part;
        bytes -= part;
    }
    return {};
}

ssize_t Disk::write_some(int fd, const char* bytes, std::size_t count, off_t offset) {
    return ::pwrite(fd, bytes, count, offset);
}

int Disk::flush(int fd) {
    return ::fdatasync(fd);
}

int Disk::keep_room(int fd, off_t bytes) {
    return ::fallocate(fd, 0, 0, bytes);
}

Result<File> open_for_read(const std::filesystem::path& path) {
    File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file) return file;
    if (errno == ENOENT) return fail(ErrorCode::not_found, path.string() + " is not there");
    return fail(ErrorCode::unavailable, fmt::format("cannot open {}: {}", path.string(), reason(errno)));
}

Result<> read_at(int fd, char* to, std::size_t count, std::uint64_t offset) {
    while (count > 0) {
        const ssize_t got = ::pread(fd, to, count, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(ErrorCode::corrupt, "cannot read: " + reason(errno));
        if (got == 0) return fail(ErrorCode::corrupt, "a file of the store is shorter than it was");
        to += got;
        count -= static_cast<std::size_t>(got);
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

Result<std::uint64_t> size_of(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return fail(ErrorCode::corrupt, "cannot stat: " + reason(errno));
    return static_cast<std::uint64_t>(status.st_size);
}

Result<> rename_file(const std::filesystem::path& from, const std::filesystem::path& to,
                     std::string_view what) {
    if (std::rename(from.c_str(), to.c_str()) == 0) return {};
    return fail(ErrorCode::unavailable, fmt::format("cannot rename {}: {}", what, reason(errno)));
}

Result<> each_name(const std::filesystem::path& directory,
                   const std::function<Result<>(const std::filesystem::path&)>& visit) {
    using Names = std::filesystem::directory_iterator;
    std::error_code error;
    for (Names at(directory, error); !error && at != Names(); at.increment(error)) {
        if (const auto done = visit(at->path()); !done) return done;
    }
    if (error && error != std::errc::no_such_file_or_directory)
        return fail(ErrorCode::unavailable, "cannot list " + directory.string() + ": " + error.message());
    return {};
}

}  // namespace sheaf::store
