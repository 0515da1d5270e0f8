#pragma once

#include <cstdint>

#include "base/result.h"
#include "protocol/value.h"

namespace sheaf::protocol {

// What a content is part of; not every block may stand everywhere.
enum class Place : std::uint8_t { user, assistant, system, tool_result, document, search_result };

// A string, or an array of blocks as Messages has them. An empty string or array passes.
Result<> check_messages_content(const Value& content, Place place);

// {"type":"ephemeral","ttl":"5m"}
Result<> check_cache_control(const Value& value);

}  // namespace sheaf::protocol
