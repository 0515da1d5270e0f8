#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <random>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "machine.h"

// The calls of this program, SQLite's and the standard library's among them, to the system outside of it:
// those that change files, tell or wait for time, and the only source of randomness. They pass through what a
// simulation has set up.

namespace {

using sheaf::sim::machine;

bool is_ours(const char* path) {
    return machine().disk != nullptr && machine().disk->holds(path);
}

bool is_ours(int fd) {
    return machine().disk != nullptr && machine().disk->holds(fd);
}

int open_file(const char* path, int flags, mode_t mode) {
    if (is_ours(path)) return machine().disk->open(path, flags, mode);
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

mode_t mode_of(int flags, va_list arguments) {
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

ssize_t write_to(int fd, const void* bytes, std::size_t count, off_t offset) {
    if (is_ours(fd)) return machine().disk->write(fd, bytes, count, offset);
    return ::syscall(SYS_pwrite64, fd, bytes, count, offset);
}

int resize(int fd, off_t bytes) {
    if (is_ours(fd)) return machine().disk->truncate(fd, bytes);
    return static_cast<int>(::syscall(SYS_ftruncate, fd, bytes));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file(path, flags, mode);
}

int close(int fd) {
    if (is_ours(fd)) machine().disk->closed(fd);
    return static_cast<int>(::syscall(SYS_close, fd));
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
    return write_to(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off_t offset) {
    return write_to(fd, bytes, count, offset);
}

int ftruncate(int fd, off_t bytes) noexcept {
    return resize(fd, bytes);
}

int ftruncate64(int fd, off_t bytes) noexcept {
    return resize(fd, bytes);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes) {
    if (is_ours(fd) && (mode & FALLOC_FL_PUNCH_HOLE) != 0) return machine().disk->punch(fd, offset, bytes);
    if (is_ours(fd)) return 0;  // room is had when bytes come
    return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, bytes));
}

int fsync(int fd) {
    if (is_ours(fd)) return machine().disk->sync(fd);
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

int fdatasync(int fd) {
    if (is_ours(fd)) return machine().disk->sync(fd);
    return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

int rename(const char* from, const char* to) noexcept {
    if (is_ours(from)) return machine().disk->rename(from, to);
    return static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}

int unlink(const char* path) noexcept {
    if (is_ours(path)) return machine().disk->unlink(path);
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int link(const char* from, const char* to) noexcept {
    if (is_ours(to)) return machine().disk->link(from, to);
    return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int mkdir(const char* path, mode_t mode) noexcept {
    if (is_ours(path)) return machine().disk->make_directory(path, mode);
    return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

// The locks of one process never meet each other, and no other process has these files.
int fcntl64(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    const auto argument = va_arg(arguments, void*);
    va_end(arguments);
    if (!is_ours(fd)) return static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
    if (command == F_GETLK) static_cast<flock*>(argument)->l_type = F_UNLCK;
    const bool is_of_locks = command == F_GETLK || command == F_SETLK || command == F_SETLKW;
    return is_of_locks ? 0 : static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
}

// Asio's executors never sleep: without a timer of the system they look at their own at each turn, and there
// is nothing else to wait for.
int timerfd_create(int, int) noexcept {
    errno = ENOSYS;
    return -1;
}

int epoll_wait(int, epoll_event*, int, int) {
    return 0;
}

ssize_t getrandom(void* bytes, size_t count, unsigned) {
    for (size_t i = 0; i < count; ++i)
        static_cast<unsigned char*>(bytes)[i] = static_cast<unsigned char>(machine().random());
    return static_cast<ssize_t>(count);
}
}
