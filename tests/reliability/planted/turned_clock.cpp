// Preloaded into a server: its wall clock is as many seconds ahead as the file says that SHEAF_TURNED_CLOCK
// names.
#include <cstdlib>
#include <ctime>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

namespace {

std::time_t seconds_ahead() {
    const int file = ::open(std::getenv("SHEAF_TURNED_CLOCK"), O_RDONLY | O_CLOEXEC);
    char text[24] = {};
    const bool is_read = ::read(file, text, sizeof text - 1) > 0;
    ::close(file);
    return is_read ? std::atol(text) : 0;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
    using Function = int (*)(clockid_t, timespec*);
    static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "clock_gettime"));
    const int done = real(clock, time);
    if (done == 0 && clock == CLOCK_REALTIME) time->tv_sec += seconds_ahead();
    return done;
}
