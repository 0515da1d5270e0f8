#include "media/ffmpeg/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sheaf::media {
namespace {

using Clock = std::chrono::steady_clock;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHEAF_MEDIA_SANITIZED 1
#endif
#endif

// Above the descriptors that the child gets, so that none is overwritten before it is copied.
constexpr int kLowest = 10;
constexpr int kPipeBytes = 1 << 20;

std::unexpected<Error> cannot_start(int error) {
    return fail(ErrorCode::unavailable,
                std::string("The media worker cannot be started: ") + std::strerror(error) + ".");
}

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return cannot_start(errno);
    const Descriptor low_read(ends[0]);
    const Descriptor low_write(ends[1]);
    Pipe pipe{Descriptor(::fcntl(ends[0], F_DUPFD_CLOEXEC, kLowest)),
              Descriptor(::fcntl(ends[1], F_DUPFD_CLOEXEC, kLowest))};
    if (pipe.read.get() < 0 || pipe.write.get() < 0) return cannot_start(errno);
    return pipe;
}

// What posix_spawn needs, released with it.
class SpawnPlan {
public:
    SpawnPlan() {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawnattr_init(&attributes_);
    }
    ~SpawnPlan() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;

    int prepare(int input, int output, int file) {
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        int error = ::posix_spawnattr_setflags(
            &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
        const auto add = [&error](int result) { error = error != 0 ? error : result; };
        add(::posix_spawn_file_actions_adddup2(&actions_, input, 0));
        add(::posix_spawn_file_actions_adddup2(&actions_, output, 1));
        add(::posix_spawn_file_actions_adddup2(&actions_, file, 3));
#if !defined(SHEAF_MEDIA_SANITIZED)
        // A sanitizer's report is the one thing worth hearing from it.
        add(::posix_spawn_file_actions_addopen(&actions_, 2, "/dev/null", O_WRONLY, 0));
#endif
        add(::posix_spawn_file_actions_addclosefrom_np(&actions_, 4));
        return error;
    }

    int spawn(pid_t& pid, const std::vector<std::string>& command) const {
        std::vector<char*> arguments;
        for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
#if defined(SHEAF_MEDIA_SANITIZED)
        // Looking for leaks needs to trace, which a confined process cannot.
        std::array<const char*, 2> environment{"ASAN_OPTIONS=detect_leaks=0", nullptr};
#else
        std::array<const char*, 1> environment{nullptr};
#endif
        return ::posix_spawn(&pid, command.front().c_str(), &actions_, &attributes_, arguments.data(),
                             const_cast<char**>(environment.data()));
    }

private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

int milliseconds_until(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

void Descriptor::close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<ChildProcess> ChildProcess::start(Options options) {
    if (options.command.empty()) return fail(ErrorCode::unavailable, "No media worker is set.");
    auto input = make_pipe();
    if (!input) return std::unexpected(input.error());
    auto output = make_pipe();
    if (!output) return std::unexpected(output.error());
    ::fcntl(output->read.get(), F_SETPIPE_SZ, kPipeBytes);
    // The whole job fits into the pipe: written before there is a child, it needs no waiting and cannot
    // break.
    ::fcntl(input->write.get(), F_SETFL, O_NONBLOCK);
    const ssize_t wrote = ::write(input->write.get(), options.input.data(), options.input.size());
    if (wrote < 0 || static_cast<std::size_t>(wrote) != options.input.size())
        return cannot_start(wrote < 0 ? errno : EAGAIN);
    const Descriptor file(::fcntl(options.file, F_DUPFD_CLOEXEC, kLowest));
    if (file.get() < 0) return cannot_start(errno);

    SpawnPlan plan;
    if (const int error = plan.prepare(input->read.get(), output->write.get(), file.get()); error != 0) {
        return cannot_start(error);
    }
    pid_t pid = -1;
    if (const int error = plan.spawn(pid, options.command); error != 0) return cannot_start(error);
    return ChildProcess(pid, std::move(output->read), std::move(options));
}

ChildProcess::ChildProcess(pid_t pid, Descriptor output, Options options)
    : pid_(pid), output_(std::move(output)), deadline_(options.deadline), stop_(std::move(options.stop)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      status_(other.status_),
      output_(std::move(other.output_)),
      deadline_(other.deadline_),
      stop_(std::move(other.stop_)) {}

ChildProcess::~ChildProcess() {
    kill();
}

Result<std::size_t> ChildProcess::read(char* to, std::size_t bytes) {
    const Descriptor bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const std::stop_callback on_stop(stop_, [fd = bell.get()] {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto wrote = ::write(fd, &one, sizeof one);
    });
    for (;;) {
        if (stop_.stop_requested()) return fail(ErrorCode::canceled, "Nobody waits for the answer any more.");
        if (Clock::now() >= deadline_) return fail(ErrorCode::timed_out, "The file took too long.");
        std::array<pollfd, 2> ready{pollfd{output_.get(), POLLIN, 0}, pollfd{bell.get(), POLLIN, 0}};
        const int count = ::poll(ready.data(), ready.size(), milliseconds_until(deadline_));
        if (count < 0 && errno != EINTR)
            return fail(ErrorCode::internal, "The media worker cannot be waited for.");
        if (count <= 0 || ready[0].revents == 0) continue;
        const ssize_t got = ::read(output_.get(), to, bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(ErrorCode::internal, "The media worker's answer cannot be read.");
        return static_cast<std::size_t>(got);
    }
}

int ChildProcess::finish(std::chrono::milliseconds patience) {
    if (pid_ < 0) return status_;
    const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    const auto until = std::min(Clock::now() + patience, deadline_);
    while (process.get() >= 0 && !stop_.stop_requested()) {
        // In short waits, so that a stop is seen too.
        pollfd ended{process.get(), POLLIN, 0};
        const int count = ::poll(&ended, 1, std::min(milliseconds_until(until), 50));
        if (count > 0) return reap();
        if (count < 0 && errno != EINTR) break;
        if (Clock::now() >= until) break;
    }
    return kill();
}

int ChildProcess::kill() {
    if (pid_ < 0) return status_;
    // Not reaped yet, so the number is still ours. What a wrapper may have started is in its group.
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    return reap();
}

int ChildProcess::reap() {
    int status = -1;
    while (::waitpid(pid_, &status, 0) < 0) {
        if (errno != EINTR) {
            status = -1;
            break;
        }
    }
    pid_ = -1;
    status_ = status;
    return status_;
}

}  // namespace sheaf::media
