#pragma once

#include <memory>

#include <unistd.h>

namespace sheaf {

// An open file descriptor, closed with its last owner.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int fd() const { return fd_; }

private:
    int fd_;
};

// Shared by those a file passes through, so that it is closed wherever one of them stops.
using SharedDescriptor = std::shared_ptr<const Descriptor>;

}  // namespace sheaf
