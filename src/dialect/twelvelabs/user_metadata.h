#pragma once

#include <string>
#include <string_view>

#include "dialect/twelvelabs/reader.h"

namespace sheaf::dialect::twelvelabs {

inline constexpr std::size_t kUserMetadataBytesMax = 64 * 1024;

// The text of a map of strings, numbers and booleans; empty text for an empty map. Anything else is noted.
std::string read_user_metadata(dom::element value, const std::string& path, Findings& findings);
// The same of a map that is a string itself, as in a form.
Checked<std::string> parse_user_metadata(std::string_view text);

// `stored` (a map or empty) with the members of `patch`: null removes a key, an empty string leaves it as it
// is.
std::string patch_user_metadata(std::string_view stored, dom::element patch, const std::string& path,
                                Findings& findings);

}  // namespace sheaf::dialect::twelvelabs
