#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.h"

namespace sheaf::dialect {

// Where a key is looked for first.
enum class KeyHeader : std::uint8_t { x_api_key, authorization };

// The key of a request: x-api-key, or a bearer token; `first` tells which of them wins. Nullopt when there is
// neither.
std::optional<std::string_view> find_key(const http::Headers& headers, KeyHeader first);

}  // namespace sheaf::dialect
