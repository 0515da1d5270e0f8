#pragma once

#include <vector>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/value.h"

namespace sheaf::protocol {

// Appends the turns that the member "messages" of a Chat Completions request says. invalid: it is no array of
// messages, or they hold what other protocols do not have. What the model thought earlier is left out.
Result<> read_chat_messages(const Value& messages, std::vector<Turn>& turns);

}  // namespace sheaf::protocol
