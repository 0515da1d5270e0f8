#include "store/sqlite/directory_lock.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>

namespace sheaf::store {
namespace {

constexpr const char* kLock = "LOCK";

Result<File> lock(File file, const std::filesystem::path& path) {
    if (!file) {
        const auto code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::unavailable;
        return fail(code, "cannot open " + path.string() + ": " + std::strerror(errno));
    }
    if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::conflict, "another server holds " + path.parent_path().string());
    return file;
}

}  // namespace

Result<File> lock_directory(const std::filesystem::path& directory) {
    const auto path = directory / kLock;
    return lock(File(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), path);
}

Result<File> lock_directory_as_it_is(const std::filesystem::path& directory) {
    const auto path = directory / kLock;
    return lock(File(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path);
}

}  // namespace sheaf::store
