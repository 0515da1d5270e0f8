#include "base/out_of_memory.h"

#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include <unistd.h>

namespace sheaf {
namespace {

std::terminate_handler other_ends = nullptr;

[[noreturn]] void end() {
    try {
        if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
        end_for_want_of_memory();
    } catch (...) {
    }
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
