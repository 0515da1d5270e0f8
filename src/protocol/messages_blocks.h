#pragma once

#include <vector>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/value.h"

namespace sheaf::protocol {

// The parts that a Messages content says: a string, or an array of blocks. Documents and search results
// become text. invalid: it is no such content, or holds what other protocols do not have.
Result<> read_messages_content(const Value& content, std::vector<Part>& parts);

}  // namespace sheaf::protocol
