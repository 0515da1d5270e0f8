#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace sheaf::media {

// A descriptor that is closed with its owner.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept;
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor() { close(); }
    int get() const { return fd_; }
    void close();

private:
    int fd_ = -1;
};

// A child process that reads `input` on descriptor 0 and `file` on descriptor 3, and whose descriptor 1 we
// read. It inherits nothing else: no descriptors, no environment. It is killed and reaped with its owner, at
// the latest.
//
// Belongs to one thread, the one that started it: when that thread ends, the child's kernel kills it.
class ChildProcess {
public:
    struct Options {
        std::vector<std::string> command;
        std::string input;  // at most what a pipe holds, 64 KiB
        int file = -1;
        std::chrono::steady_clock::time_point deadline;
        std::stop_token stop;
    };
    static Result<ChildProcess> start(Options options);
    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&&) = delete;
    ~ChildProcess();

    // The next bytes of its output, at least one and at most `bytes`; 0 at its end. timed_out past the
    // deadline, canceled when told to stop.
    Result<std::size_t> read(char* to, std::size_t bytes);
    // Waits for its own end for a moment, then kills it. The status is waitpid's.
    int finish(std::chrono::milliseconds patience);
    // As seen on waitpid, or -1 where someone else reaped it.
    int kill();

private:
    ChildProcess(pid_t pid, Descriptor output, Options options);
    int reap();

    pid_t pid_ = -1;
    int status_ = -1;
    Descriptor output_;
    std::chrono::steady_clock::time_point deadline_;
    std::stop_token stop_;
};

}  // namespace sheaf::media
