#include "base/out_of_memory.h"

#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include <unistd.h>

namespace sheaf {
namespace {

std::terminate_handler other_ends = nullptr;

bool is_for_want_of_memory(const std::exception_ptr& thrown) {
    if (!thrown) return false;
    try {
        std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
        return true;
    } catch (...) {
        return false;
    }
}

[[noreturn]] void end() {
    if (is_for_want_of_memory(std::current_exception())) end_for_want_of_memory();
    if (other_ends != nullptr) other_ends();
    std::abort();
}

}  // namespace

void end_for_want_of_memory() {
    constexpr std::string_view kWords = "out of memory; ending at once, start again to go on\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kWords.data(), kWords.size());
    std::_Exit(kOutOfMemoryExit);
}

void end_when_out_of_memory() {
    other_ends = std::set_terminate(end);
}

}  // namespace sheaf
