#include "backend/managed/child.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"

namespace sheaf::backend::managed {
namespace {

constexpr std::size_t kLineBytesMax = 4096;

struct Pipe {
    std::unique_ptr<Descriptor> read;
    std::unique_ptr<Descriptor> write;
};

std::unexpected<Error> cannot_start(int error) {
    return fail(ErrorCode::unavailable, fmt::format("no process can be started: {}", ::strerror(error)));
}

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return cannot_start(errno);
    return Pipe{std::make_unique<Descriptor>(ends[0]), std::make_unique<Descriptor>(ends[1])};
}

std::vector<char*> pointers_of(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

// In a process group of its own: what the terminal sends to ours is not for it.
int spawn(pid_t& pid, const std::vector<std::string>& command, const std::vector<std::string>& environment,
          int input, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    int error = ::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    const auto add = [&error](int result) { error = error != 0 ? error : result; };
    add(::posix_spawn_file_actions_adddup2(&actions, input, 0));
    add(::posix_spawn_file_actions_adddup2(&actions, output, 1));
    add(::posix_spawn_file_actions_adddup2(&actions, output, 2));
    add(::posix_spawn_file_actions_addclosefrom_np(&actions, 3));
    if (error == 0)
        error = ::posix_spawn(&pid, command.front().c_str(), &actions, &attributes,
                              pointers_of(command).data(), pointers_of(environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    return error;
}

// Cuts a stream into lines.
class Lines {
public:
    explicit Lines(const std::function<void(std::string_view)>& on_line) : on_line_(&on_line) {}
    void feed(std::string_view bytes) {
        for (const char c : bytes) {
            if (c == '\n')
                end();
            else if (line_.size() < kLineBytesMax)
                line_ += c;
        }
    }
    void end() {
        if (line_.ends_with('\r')) line_.pop_back();
        if (!line_.empty()) (*on_line_)(line_);
        line_.clear();
    }

private:
    const std::function<void(std::string_view)>* on_line_;
    std::string line_;
};

class KeptChild final : public Child {
public:
    KeptChild(async::Executor executor, pid_t pid, int output, std::unique_ptr<Descriptor> lifeline,
              std::function<void(std::string_view)> on_line)
        : pid_(pid),
          output_(executor, output),
          lifeline_(std::move(lifeline)),
          on_line_(std::move(on_line)) {}
    ~KeptChild() override {
        lifeline_.reset();
        reap();
    }
    KeptChild(const KeptChild&) = delete;
    KeptChild& operator=(const KeptChild&) = delete;

    async::Task<int> run() override {
        std::array<char, 16 * 1024> bytes;
        Lines lines(on_line_);
        while (true) {
            const auto [error, count] = co_await output_.async_read_some(
                boost::asio::buffer(bytes), boost::asio::as_tuple(async::use_task));
            if (error == boost::asio::error::operation_aborted) throw boost::system::system_error(error);
            if (error) break;
            lines.feed({bytes.data(), count});
        }
        lines.end();
        // Nobody holds the pipe any more: the keeper has ended, or is about to.
        co_return reap();
    }

    void ask_to_stop() override {
        if (lifeline_ == nullptr) return;
        [[maybe_unused]] const auto wrote = ::write(lifeline_->fd(), "q", 1);
    }

private:
    int reap() {
        int status = 0;
        while (pid_ > 0 && ::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    pid_t pid_;
    boost::asio::posix::basic_stream_descriptor<async::Executor> output_;
    std::unique_ptr<Descriptor> lifeline_;
    std::function<void(std::string_view)> on_line_;
};

}  // namespace

Result<std::unique_ptr<Child>> Child::start(async::Executor executor, ChildOptions options) {
    auto lifeline = make_pipe();
    if (!lifeline) return std::unexpected(lifeline.error());
    auto output = make_pipe();
    if (!output) return std::unexpected(output.error());
    std::vector<std::string> command = std::move(options.keeper);
    command.push_back(std::to_string(options.grace.count()));
    command.insert(command.end(), options.command.begin(), options.command.end());
    pid_t pid = -1;
    if (const int error = spawn(pid, command, options.environment, lifeline->read->fd(), output->write->fd());
        error != 0)
        return cannot_start(error);
    return std::make_unique<KeptChild>(executor, pid, ::fcntl(output->read->fd(), F_DUPFD_CLOEXEC, 3),
                                       std::move(lifeline->write), std::move(options.on_line));
}

}  // namespace sheaf::backend::managed
