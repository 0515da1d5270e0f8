#pragma once

#include <string>
#include <string_view>

namespace sheaf::backend {

// The bytes in base64 with padding, on one line.
std::string base64(std::string_view bytes);

}  // namespace sheaf::backend
