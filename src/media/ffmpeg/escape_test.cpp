#include "media/ffmpeg/escape_test.h"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "media/ffmpeg/confinement.h"
#include "media/ffmpeg/process.h"

namespace sheaf::media {
namespace {

int outcome(long result) {
    return result < 0 ? kRefused : kEscaped;
}

}  // namespace

int try_to_escape(std::string_view how) {
    if (!confine({.memory_bytes_max = std::uint64_t{2} << 30, .cpu_s_max = 5})) return kNotConfined;
    if (how == "nothing") return kEscaped;
    if (how == "thread") {
        bool ran = false;
        std::thread([&ran] { ran = true; }).join();
        return ran ? kEscaped : kRefused;
    }
    if (how == "socket") return outcome(::socket(AF_INET, SOCK_STREAM, 0));
    if (how == "open") return outcome(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    if (how == "create") return outcome(::open("/tmp/escaped", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (how == "execve") {
        std::array<char*, 2> arguments{const_cast<char*>("/bin/true"), nullptr};
        return outcome(::execv(arguments[0], arguments.data()));
    }
    if (how == "fork") return outcome(::syscall(SYS_fork));
    if (how == "clone") return outcome(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (how == "ptrace") return outcome(::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr));
    if (how == "kill") return outcome(::syscall(SYS_kill, 1, 0));
    if (how == "tgkill") return outcome(::syscall(SYS_tgkill, 1, 1, 0));
    if (how == "code") {
        const void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return page == MAP_FAILED ? kRefused : kEscaped;
    }
    if (how == "write-file") return outcome(::write(3, "x", 1));
    if (how == "unlink") return outcome(::syscall(SYS_unlinkat, AT_FDCWD, "/tmp/escaped", 0));
    if (how == "privileges") return outcome(::syscall(SYS_setuid, 0));
    if (how == "limits") {
        std::array<std::uint64_t, 2> more{1000, 1000};
        return outcome(::syscall(SYS_prlimit64, 0, 7, more.data(), nullptr));
    }
    return kNotConfined;
}

namespace {

class Escape : public testing::TestWithParam<const char*> {
protected:
    // The exit code, or minus the signal.
    static int run(const char* how) {
        const Descriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        auto child =
            ChildProcess::start({.command = {"/proc/self/exe", "media-worker-escape", how},
                                 .input = "",
                                 .file = file.get(),
                                 .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30),
                                 .stop = {}});
        EXPECT_TRUE(child);
        if (!child) return kNotConfined;
        std::array<char, 64> bytes{};
        while (child->read(bytes.data(), bytes.size()).value_or(0) > 0) {
        }
        const int status = child->finish(std::chrono::seconds(20));
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
};

TEST_F(Escape, AConfinedProcessStillComputesAndStartsThreads) {
    EXPECT_EQ(run("nothing"), kEscaped);
    EXPECT_EQ(run("thread"), kEscaped);
}

TEST_P(Escape, IsRefusedOrEndsTheProcess) {
    const int result = run(GetParam());
    EXPECT_TRUE(result == kRefused || result == -SIGSYS) << result;
}

INSTANTIATE_TEST_SUITE_P(Ways, Escape,
                         testing::Values("socket", "open", "create", "execve", "fork", "clone", "ptrace",
                                         "kill", "tgkill", "code", "write-file", "unlink", "privileges"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

}  // namespace
}  // namespace sheaf::media
