#pragma once

#include <vector>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/value.h"

namespace sheaf::protocol {

// The turns that the items of a Responses request's `input` say: messages, calls and their outputs, and
// messages in the form of Chat Completions, whose clients move here with their histories.
//
// A call and a thought join the assistant's turn right before them, as does a message right after a thought;
// outputs that follow each other are one turn. invalid, with the path: an item that is malformed, or that a
// server without memory and without OpenAI's own tools cannot take.
Result<std::vector<Turn>> read_responses_input(const Value& items);

}  // namespace sheaf::protocol
