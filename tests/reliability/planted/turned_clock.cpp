// Preloaded into a server: its wall clock is as many seconds ahead as the file says that SHEAF_TURNED_CLOCK
// names. By system calls, for sanitizers ask for the time before any library may be used.
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

std::time_t seconds_ahead() {
    const char* const name = std::getenv("SHEAF_TURNED_CLOCK");
    const long file = name == nullptr ? -1 : ::syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char text[24] = {};
    ::syscall(SYS_read, file, text, sizeof text - 1);
    ::syscall(SYS_close, file);
    std::time_t seconds = 0;
    for (const char* digit = text; *digit != '\0'; ++digit) seconds = seconds * 10 + (*digit - '0');
    return seconds;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
    const long done = ::syscall(SYS_clock_gettime, clock, time);
    if (done == 0 && clock == CLOCK_REALTIME) time->tv_sec += seconds_ahead();
    return static_cast<int>(done);
}
