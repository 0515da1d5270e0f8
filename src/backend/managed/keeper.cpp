// The program between Sheaf and a model server that it started. It is small and has one thread, so that it
// can fork; it holds one end of a pipe, and when the other end closes, because Sheaf ended in whatever way,
// the server and everything that it started goes.
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backends.h"

namespace sheaf::backend {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kLifeline = 0;
constexpr int kCannotStart = 127;

[[noreturn]] void become(char** command, pid_t keeper, const sigset_t& mask) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != keeper) ::_exit(kCannotStart);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, 0);
    ::execvp(command[0], command);
    ::dprintf(2, "%s cannot be started: %s\n", command[0], ::strerror(errno));
    ::_exit(kCannotStart);
}

// Those that a daemon's double fork or a session of its own took out of the group end up as our children.
void kill_orphans() {
    const auto self = std::to_string(::getpid());
    std::ifstream children("/proc/self/task/" + self + "/children");
    for (pid_t child = 0; children >> child;) ::kill(child, SIGKILL);
}

class Keeper {
public:
    Keeper(pid_t child, std::chrono::milliseconds grace, int signals)
        : child_(child), grace_(grace), signals_(signals) {}

    // The exit status of the server, when it and all that it started are gone.
    int run() {
        while (!has_ended_) {
            std::array<pollfd, 2> ready{pollfd{signals_, POLLIN, 0}, pollfd{kLifeline, POLLIN, 0}};
            if (is_lifeline_over_) ready[1].fd = -1;
            const int count = ::poll(ready.data(), ready.size(), patience());
            if (count < 0 && errno != EINTR) break;
            if (ready[1].revents != 0) read_lifeline();
            if (ready[0].revents != 0) read_signals();
            reap();
            if (kill_at_ != Clock::time_point{} && Clock::now() >= kill_at_) ::kill(-child_, SIGKILL);
        }
        ::kill(-child_, SIGKILL);
        for (int status = 0; ::waitpid(-1, &status, WNOHANG) >= 0; ::usleep(1'000)) kill_orphans();
        return status_;
    }

private:
    int patience() const {
        if (kill_at_ == Clock::time_point{}) return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(kill_at_ - Clock::now()).count();
        // Once more and more, should a kill have missed a fork.
        return static_cast<int>(std::max<std::int64_t>(left, 20));
    }
    // A byte asks for an orderly stop; the end of the pipe means that nobody is there to wait for it.
    void read_lifeline() {
        char byte = 0;
        const bool is_asked = ::read(kLifeline, &byte, 1) == 1;
        is_lifeline_over_ = !is_asked;
        if (is_asked) ::kill(-child_, SIGTERM);
        kill_at_ = Clock::now() + (is_asked ? grace_ : std::chrono::milliseconds{0});
    }
    void read_signals() const {
        signalfd_siginfo info{};
        [[maybe_unused]] const auto got = ::read(signals_, &info, sizeof info);
    }
    void reap() {
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            if (pid != child_) continue;
            has_ended_ = true;
            status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }

    pid_t child_;
    std::chrono::milliseconds grace_;
    int signals_;
    bool is_lifeline_over_ = false;
    bool has_ended_ = false;
    int status_ = 0;
    Clock::time_point kill_at_;
};

}  // namespace

int model_keeper_main(int argc, char** argv) {
    if (argc < 4) return 2;
    int grace_ms = 0;
    std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), grace_ms);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::prctl(PR_SET_NAME, "sheaf-keeper");
    sigset_t before;
    sigset_t blocked;
    ::sigemptyset(&blocked);
    for (const int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::sigaddset(&blocked, signal);
    ::sigprocmask(SIG_BLOCK, &blocked, &before);
    sigset_t heard;
    ::sigemptyset(&heard);
    ::sigaddset(&heard, SIGCHLD);
    const int signals = ::signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
    ::fcntl(kLifeline, F_SETFD, FD_CLOEXEC);
    const pid_t keeper = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) become(argv + 3, keeper, before);
    if (child < 0 || signals < 0) return kCannotStart;
    ::setpgid(child, child);
    return Keeper(child, std::chrono::milliseconds(grace_ms), signals).run();
}

}  // namespace sheaf::backend
