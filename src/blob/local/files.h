#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

// System calls on files, with every answer looked at.
namespace sheaf::blob {

// Where files are while they are written, below the store's directory. No key has a dot, so no blob is ever
// in here.
inline constexpr const char* kUnfinished = ".unfinished";

// Owns a file descriptor.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor();
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    // Closes now and tells what close() says: some file systems report a failed write only there.
    Result<> close();

private:
    int fd_ = -1;
};

// What errno `code` means to the caller. Names no path: the message may reach a client.
Error error_of(int code, std::string_view doing);

Result<> write_all(int fd, std::string_view bytes);
Result<> sync_data(int fd);
// Makes the names in a directory durable.
Result<> sync_directory(int directory);
// Appends all of `from` to `to`, in the kernel where it can.
Result<> append_file(int to, int from);

}  // namespace sheaf::blob
