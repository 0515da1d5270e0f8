#pragma once

#include <string_view>

#include "base/result.h"

namespace sheaf::backend {

// Regular expressions from clients, run on text from models: both may be hostile.

// invalid: not an expression we can run.
Result<> check_pattern(std::string_view pattern);
// Whether `pattern` is found in `text`. too_large: it cannot be told with bounded work.
Result<bool> matches_pattern(std::string_view pattern, std::string_view text);
// JSON Schema's formats uuid, date-time, date and time; any text fits any other.
bool matches_format(std::string_view format, std::string_view text);

}  // namespace sheaf::backend
