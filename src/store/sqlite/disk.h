#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

#include "base/result.h"

namespace sheaf::store {

// An open file; closes it.
class File {
public:
    File() = default;
    explicit File(int fd) : fd_(fd) {}
    ~File();
    File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    File& operator=(File&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    int fd() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_ = -1;
};

// Every call that changes files, and what a failed one means.
//
// A sync that failed is never repeated: the kernel may have dropped the pages, and the next one would lie.
// The disk is broken from then on, and usable() says so. A write that found no room is ErrorCode::no_space
// and breaks nothing. Threads: any.
class Disk {
public:
    Disk() = default;
    virtual ~Disk() = default;
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    Result<> usable() const;
    void mark_broken(std::string why);

    Result<File> create(const std::filesystem::path& path);
    Result<> write_at(int fd, std::string_view bytes, std::uint64_t offset);
    // Has a range written out in the background, so that less is left to the sync. Fails only as that does.
    void start_write_out(int fd, std::uint64_t offset, std::uint64_t bytes);
    Result<> truncate(int fd, std::uint64_t bytes);
    // Has a file so long, and room for all of it. Where the file system keeps no room it stays as it is.
    Result<> reserve(int fd, std::uint64_t bytes);
    Result<> sync(int fd, std::string_view what);
    Result<> sync_directory(const std::filesystem::path& path);
    Result<> make_directory(const std::filesystem::path& path);
    // Gives `to` as a second name to the file `from`.
    Result<> link(const std::filesystem::path& from, const std::filesystem::path& to);
    // Absent is fine.
    Result<> remove(const std::filesystem::path& path);
    // Frees the bytes of a range, which reads as zeros afterwards.
    Result<> erase(int fd, std::uint64_t offset, std::uint64_t bytes);

protected:
    // What tests make fail. As the system calls: -1 and errno.
    virtual ssize_t write_some(int fd, const char* bytes, std::size_t count, off_t offset);
    virtual int flush(int fd);
    virtual int keep_room(int fd, off_t bytes);

private:
    Error failed(std::string_view what, int error);

    std::atomic<bool> broken_{false};
    mutable std::mutex mutex_;
    std::string why_;
};

// not_found: there is no such file.
Result<File> open_for_read(const std::filesystem::path& path);
// Reads exactly `count` bytes. corrupt: the file ends before, or the disk cannot read it.
Result<> read_at(int fd, char* to, std::size_t count, std::uint64_t offset);
Result<std::uint64_t> size_of(int fd);
// `what` names the file in the error. Durable once its directory is synced.
Result<> rename_file(const std::filesystem::path& from, const std::filesystem::path& to,
                     std::string_view what);
// Calls `visit` for each name in the directory; one that is not there has none.
Result<> each_name(const std::filesystem::path& directory,
                   const std::function<Result<>(const std::filesystem::path&)>& visit);

}  // namespace sheaf::store
