#pragma once

#include <string_view>

namespace sheaf {

// Logs and aborts. The queue is durable, so a bug stops the process instead of spreading.
[[noreturn]] void check_failed(std::string_view condition, std::string_view why, std::string_view file,
                               int line);

}  // namespace sheaf

// Holds in every build: a failed condition is a bug of ours, never bad input.
#define CHECK(condition, why)                                                         \
    do {                                                                              \
        if (!(condition)) ::sheaf::check_failed(#condition, why, __FILE__, __LINE__); \
    } while (false)
