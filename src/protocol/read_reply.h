#pragma once

#include <string_view>

#include "base/result.h"
#include "core/inference.h"
#include "protocol/conversation.h"

namespace sheaf::protocol {

// What an answer in one piece says, in whichever protocol it came. invalid: it is none, or one of embeddings,
// which say nothing.
Result<Completion> read_reply(core::Protocol protocol, std::string_view reply);

}  // namespace sheaf::protocol
