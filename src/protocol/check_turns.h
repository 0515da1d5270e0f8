#pragma once

#include "base/result.h"
#include "protocol/value.h"

namespace sheaf::protocol {

// Checks the member "messages" of a Messages request: each message, the order of roles, and that tool calls
// have their results.
Result<> check_turns(const Value& messages);

}  // namespace sheaf::protocol
