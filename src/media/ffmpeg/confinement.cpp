#include "media/ffmpeg/confinement.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>

#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sheaf::media {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

std::unexpected<Error> failed(const char* what, int error) {
    return fail(ErrorCode::internal, std::string("The media worker cannot confine itself: ") + what + ": " +
                                         std::strerror(error) + ".");
}

bool limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
    const rlimit limits{soft, hard};
    return ::setrlimit(resource, &limits) == 0;
}

Result<> set_limits(const Confinement& limits) {
    // The soft limit on processor time sends SIGXCPU, which tells a slow file from other ends.
    if (!limit(RLIMIT_CPU, limits.cpu_s_max, limits.cpu_s_max + 2)) return failed("processor time", errno);
    if (!limit(RLIMIT_FSIZE, 0, 0)) return failed("file size", errno);
    // A sanitizer opens pipes to find out what memory is readable.
    constexpr rlim_t kFiles = kSanitized ? 16 : 4;
    if (!limit(RLIMIT_NOFILE, kFiles, kFiles)) return failed("descriptors", errno);
    if (!limit(RLIMIT_CORE, 0, 0)) return failed("core", errno);
    // A sanitizer reserves terabytes of address space.
    if (!kSanitized && !limit(RLIMIT_AS, limits.memory_bytes_max, limits.memory_bytes_max)) {
        return failed("memory", errno);
    }
    return {};
}

// No path and no port, whatever the system call filter may miss. Kernels without Landlock go without.
Result<> rule_out_paths() {
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return {};
    struct {
        std::uint64_t fs = (1ULL << 13) - 1;
        std::uint64_t net = 0;
        std::uint64_t scoped = 0;
    } rules;
    std::size_t size = sizeof(rules.fs);
    if (abi >= 2) rules.fs |= 1ULL << 13;  // refer
    if (abi >= 3) rules.fs |= 1ULL << 14;  // truncate
    if (abi >= 4) {
        rules.net = 3;  // bind, connect
        size = 16;
    }
    if (abi >= 5) rules.fs |= 1ULL << 15;  // ioctl on devices
    if (abi >= 6) {
        rules.scoped = 3;  // abstract sockets, signals
        size = 24;
    }
    const long fd = ::syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0) return failed("Landlock rules", errno);
    const long entered = ::syscall(SYS_landlock_restrict_self, fd, 0);
    const int error = errno;
    ::close(static_cast<int>(fd));
    if (entered != 0) return failed("Landlock", error);
    return {};
}

scmp_arg_cmp equal(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_EQ, value, 0};
}

// Whether the bits of `mask` are `value`.
scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

class Filter {
public:
    Filter() : context_(seccomp_init(SCMP_ACT_KILL_PROCESS), &seccomp_release) {}

    using Conditions = std::initializer_list<scmp_arg_cmp>;
    void allow(int call, Conditions conditions = {}) { add(SCMP_ACT_ALLOW, call, conditions); }
    void refuse(int error, int call, Conditions conditions = {}) {
        add(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call, conditions);
    }
    int load() {
        if (!context_) return -ENOMEM;
        if (first_error_ != 0) return first_error_;
        // Also for other threads, of which there are none in a worker but one in a sanitizer's.
        return seccomp_load(context_.get());
    }

private:
    void add(std::uint32_t action, int call, Conditions conditions) {
        if (!context_ || call == __NR_SCMP_ERROR) return;
        const int result = seccomp_rule_add_array(
            context_.get(), action, call, static_cast<unsigned>(conditions.size()), conditions.begin());
        if (result != 0 && first_error_ == 0) first_error_ = result;
    }

    std::unique_ptr<void, decltype(&seccomp_release)> context_;
    int first_error_ = 0;
};

Result<> filter_system_calls() {
    Filter filter;
    for (const int call : {SCMP_SYS(read),
                           SCMP_SYS(readv),
                           SCMP_SYS(pread64),
                           SCMP_SYS(close),
                           SCMP_SYS(lseek),
                           SCMP_SYS(fstat),
                           SCMP_SYS(munmap),
                           SCMP_SYS(mremap),
                           SCMP_SYS(brk),
                           SCMP_SYS(madvise),
                           SCMP_SYS(futex),
                           SCMP_SYS(clock_gettime),
                           SCMP_SYS(clock_getres),
                           SCMP_SYS(gettimeofday),
                           SCMP_SYS(time),
                           SCMP_SYS(nanosleep),
                           SCMP_SYS(clock_nanosleep),
                           SCMP_SYS(exit),
                           SCMP_SYS(exit_group),
                           SCMP_SYS(rt_sigaction),
                           SCMP_SYS(rt_sigprocmask),
                           SCMP_SYS(rt_sigreturn),
                           SCMP_SYS(sigaltstack),
                           SCMP_SYS(sched_yield),
                           SCMP_SYS(sched_getaffinity),
                           SCMP_SYS(getpid),
                           SCMP_SYS(gettid),
                           SCMP_SYS(getrandom),
                           SCMP_SYS(rseq),
                           SCMP_SYS(set_robust_list),
                           SCMP_SYS(restart_syscall)}) {
        filter.allow(call);
    }
    if (kSanitized) filter.allow(SCMP_SYS(write), {{0, SCMP_CMP_GE, 4, 0}});
    for (const std::uint64_t fd : {std::uint64_t{STDOUT_FILENO}, std::uint64_t{STDERR_FILENO}}) {
        filter.allow(SCMP_SYS(write), {equal(0, fd)});
        filter.allow(SCMP_SYS(writev), {equal(0, fd)});
    }
    // Memory, but never code: nothing that is written can be run.
    filter.allow(SCMP_SYS(mmap), {masked(2, PROT_EXEC, 0)});
    filter.allow(SCMP_SYS(mprotect), {masked(2, PROT_EXEC, 0)});
    filter.refuse(EACCES, SCMP_SYS(mprotect), {masked(2, PROT_EXEC, PROT_EXEC)});
    // Threads, never processes or name spaces. clone3 hides its flags behind a pointer, and libc falls back.
    constexpr std::uint64_t kThread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
    constexpr std::uint64_t kSpaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                      CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_VFORK |
                                      CLONE_PTRACE;
    filter.allow(SCMP_SYS(clone), {masked(0, kThread | kSpaces, kThread)});
    filter.refuse(ENOSYS, SCMP_SYS(clone3));
    filter.allow(SCMP_SYS(prctl), {equal(0, PR_SET_NAME)});
    // abort() signals its own process.
    filter.allow(SCMP_SYS(tgkill), {equal(0, static_cast<std::uint64_t>(::getpid()))});
    // Libraries look for optional files and settings, and cope without.
    for (const int call : {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(access), SCMP_SYS(faccessat),
                           SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(lstat),
                           SCMP_SYS(newfstatat), SCMP_SYS(ioctl), SCMP_SYS(uname), SCMP_SYS(sysinfo)}) {
        filter.refuse(EACCES, call);
    }
    if (kSanitized) {
        for (const int call : {SCMP_SYS(prlimit64), SCMP_SYS(getrlimit), SCMP_SYS(mlock),
                               SCMP_SYS(personality), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
                               SCMP_SYS(dup), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(process_vm_readv)}) {
            filter.allow(call);
        }
    } else {
        for (const int call : {SCMP_SYS(prlimit64), SCMP_SYS(getrlimit)}) filter.refuse(EPERM, call);
    }
    if (const int result = filter.load(); result != 0) return failed("system calls", -result);
    return {};
}

}  // namespace

Result<> confine(const Confinement& limits) {
    if (::close_range(4, ~0U, 0) != 0) return failed("descriptors", errno);
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return failed("the parent's end", errno);
    if (::prctl(PR_SET_DUMPABLE, 0) != 0) return failed("dumps", errno);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("privileges", errno);
    if (auto ruled_out = rule_out_paths(); !ruled_out) return ruled_out;
    if (auto set = set_limits(limits); !set) return set;
    return filter_system_calls();
}

}  // namespace sheaf::media
