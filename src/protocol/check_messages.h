#pragma once

#include <string_view>

#include "base/result.h"
#include "protocol/translation.h"

namespace sheaf::protocol {

// Checks a Messages request as its vendor does: closed objects, types, ranges, which block may stand where,
// and that tool calls have their results. invalid, with the path as "messages.0.content.1.source.type", on
// the first fault. What only some servers can do (hosted tools, files, PDF documents) passes.
Result<> check_messages_request(std::string_view body, const CheckOptions& options);

}  // namespace sheaf::protocol
