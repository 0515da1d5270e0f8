#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sheaf::dialect {

// The value of a media type header without its parameters, in lower case: "multipart/form-data".
std::string media_type(std::string_view header);
// The value of one parameter of such a header, unquoted; nullopt when it has none.
std::optional<std::string> header_parameter(std::string_view header, std::string_view name);

}  // namespace sheaf::dialect
