// Preloaded into a server: notes how to undo each change of files below SHEAF_LOSSY_ROOT, and what was
// synced, in the folder that SHEAF_LOSSY_LOG names. When the server was killed, lossy_disk.py undoes what a
// power cut would have lost.
//
// The SHEAF_LOSSY_FAILS-th sync of a segment fails, and what it was to write is lost whatever later ones say:
// as Linux does.
#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

// The function of this name that would be called if this were not preloaded.
#define REAL(name)                                                                                \
    ([] {                                                                                         \
        static const auto found = reinterpret_cast<decltype(&::name)>(::dlsym(RTLD_NEXT, #name)); \
        return found;                                                                             \
    }())

std::string setting(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

// A record is noted and its call made under this.
std::recursive_mutex& guard() {
    static std::recursive_mutex mutex;
    return mutex;
}

bool is_ours(const std::string& path) {
    static const std::string root = setting("SHEAF_LOSSY_ROOT");
    return !root.empty() && path.starts_with(root) && !path.ends_with("-shm") && !path.ends_with("(deleted)");
}

std::string path_of(int file) {
    char path[4096];
    const auto length = ::readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path, sizeof path);
    return length < 0 ? "" : std::string(path, static_cast<std::size_t>(length));
}

const std::string& log_folder() {
    static const std::string folder = setting("SHEAF_LOSSY_LOG");
    return folder;
}

void note(const std::string& record) {
    static const int file =
        REAL(open)((log_folder() + "/records").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)!REAL(write)(file, record.data(), record.size());
}

struct stat status_of(int file) {
    struct stat status{};
    ::fstat(file, &status);
    return status;
}

// Another name of the file, by which it is found whatever becomes of its own.
std::string stashed(int file) {
    static std::set<ino_t> known;
    const ino_t inode = status_of(file).st_ino;
    const std::string name = std::to_string(inode);
    if (known.insert(inode).second)
        ::linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(file)).c_str(), AT_FDCWD,
                 (log_folder() + "/" + name).c_str(), AT_SYMLINK_FOLLOW);
    return name;
}

void note_change(int file, off_t at, std::size_t count) {
    const off_t size = status_of(file).st_size;
    std::string old(at < size ? std::min<std::size_t>(count, static_cast<std::size_t>(size - at)) : 0, '\0');
    const int reader = REAL(open)(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDONLY | O_CLOEXEC);
    const auto got = old.empty() ? 0 : ::pread(reader, old.data(), old.size(), at);
    ::close(reader);
    old.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    note("change\t" + stashed(file) + '\t' + std::to_string(at) + '\t' + std::to_string(count) + '\t' +
         std::to_string(size) + '\t' + std::to_string(old.size()) + '\n' + old + '\n');
}

void note_name(const char* what, const std::string& path) {
    std::string inode = "0";
    if (const int file = REAL(open)(path.c_str(), O_RDONLY | O_CLOEXEC); file >= 0) {
        if (S_ISREG(status_of(file).st_mode)) inode = stashed(file);
        ::close(file);
    }
    note(std::string(what) + '\t' + path + '\t' + inode + "\t0\t0\t0\n\n");
}

bool is_there(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
}

int open_noting(const char* path, int flags, mode_t mode, int (*open)(const char*, int, ...)) {
    if (!is_ours(path) || (flags & O_TMPFILE) == O_TMPFILE || (flags & (O_CREAT | O_TRUNC)) == 0)
        return open(path, flags, mode);
    const std::lock_guard lock(guard());
    const bool was_there = is_there(path);
    if (was_there && (flags & O_TRUNC) != 0) {
        if (const int file = open(path, O_RDWR | O_CLOEXEC); file >= 0) {
            if (const auto size = status_of(file).st_size; size > 0)
                note_change(file, 0, static_cast<std::size_t>(size));
            ::close(file);
        }
    }
    const int file = open(path, flags, mode);
    if (file >= 0 && !was_there) note_name("made", path);
    return file;
}

int sync_noting(int file, int (*sync)(int)) {
    const std::string path = path_of(file);
    if (!is_ours(path)) return sync(file);
    const std::lock_guard lock(guard());
    static const int fails = std::atoi(setting("SHEAF_LOSSY_FAILS").c_str());
    static int syncs = 0;
    if (path.ends_with(".seg") && ++syncs == fails) {
        note("dropped\t" + stashed(file) + "\t0\t0\t0\t0\n\n");
        errno = EIO;
        return -1;
    }
    const int done = sync(file);
    const bool is_folder = S_ISDIR(status_of(file).st_mode);
    if (done == 0) note("synced\t" + (is_folder ? path : stashed(file)) + "\t0\t0\t0\t0\n\n");
    return done;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
    std::va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_noting(path, flags, mode, REAL(open));
}

int open64(const char* path, int flags, ...) {
    std::va_list rest;
    va_start(rest, flags);
    const auto mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_noting(path, flags, mode, REAL(open));
}

ssize_t pwrite(int file, const void* bytes, std::size_t count, off_t at) {
    if (!is_ours(path_of(file))) return REAL(pwrite)(file, bytes, count, at);
    const std::lock_guard lock(guard());
    note_change(file, at, count);
    return REAL(pwrite)(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void* bytes, std::size_t count, off_t at) {
    return pwrite(file, bytes, count, at);
}

ssize_t write(int file, const void* bytes, std::size_t count) {
    if (!is_ours(path_of(file))) return REAL(write)(file, bytes, count);
    const std::lock_guard lock(guard());
    note_change(file, ::lseek(file, 0, SEEK_CUR), count);
    return REAL(write)(file, bytes, count);
}

int ftruncate(int file, off_t size) noexcept {
    if (!is_ours(path_of(file))) return REAL(ftruncate)(file, size);
    const std::lock_guard lock(guard());
    const off_t before = status_of(file).st_size;
    note_change(file, std::min(size, before), static_cast<std::size_t>(before > size ? before - size : 0));
    return REAL(ftruncate)(file, size);
}

int ftruncate64(int file, off_t size) noexcept {
    return ftruncate(file, size);
}

int fallocate(int file, int mode, off_t at, off_t count) {
    if (!is_ours(path_of(file))) return REAL(fallocate)(file, mode, at, count);
    const std::lock_guard lock(guard());
    note_change(file, at, static_cast<std::size_t>(count));
    return REAL(fallocate)(file, mode, at, count);
}

int fdatasync(int file) {
    return sync_noting(file, REAL(fdatasync));
}

int fsync(int file) {
    return sync_noting(file, REAL(fsync));
}

int mkdir(const char* path, mode_t mode) noexcept {
    const std::lock_guard lock(guard());
    const int done = REAL(mkdir)(path, mode);
    if (done == 0 && is_ours(path)) note_name("made", path);
    return done;
}

int link(const char* from, const char* to) noexcept {
    const std::lock_guard lock(guard());
    const int done = REAL(link)(from, to);
    if (done == 0 && is_ours(to)) note_name("made", to);
    return done;
}

int unlink(const char* path) noexcept {
    const std::lock_guard lock(guard());
    if (is_ours(path) && is_there(path)) note_name("gone", path);
    return REAL(unlink)(path);
}

int rename(const char* from, const char* to) noexcept {
    const std::lock_guard lock(guard());
    if (is_ours(to)) {
        if (is_there(to)) note_name("gone", to);
        if (is_ours(from)) note_name("gone", from);
    }
    const int done = REAL(rename)(from, to);
    if (done == 0 && is_ours(to)) note_name("made", to);
    return done;
}

}  // extern "C"
