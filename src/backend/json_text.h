#pragma once

#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "base/result.h"

namespace sheaf::backend {

// Boost.JSON at the edge: what keeps the order of members and can be walked and changed.

// One document, at most 64 levels deep; the reason otherwise. `json` may be hostile.
Result<boost::json::value> parse_json(std::string_view json);

// The document as text without blanks; numbers in their shortest form, not Boost's "1E0".
std::string json_text(const boost::json::value& value);

}  // namespace sheaf::backend
