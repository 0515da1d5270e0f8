#pragma once

#include <cstdint>
#include <string_view>

namespace sheaf::backend {

// A guess at the input tokens of a model request from its size: four bytes a token, and 1024 for each picture
// or file that stands in it as base64.
std::uint64_t estimated_request_tokens(std::string_view body);

}  // namespace sheaf::backend
