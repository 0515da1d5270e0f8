#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/translation.h"

namespace sheaf::protocol {

// A Responses request as a conversation. Besides what OpenAI documents, `input` may be {"messages":[…]}
// (Sail), messages and tools may have their Chat Completions form, and top_k, seed, stop and the penalties
// are read. invalid, with the path as "input[0].content[1]": it is no such request, or asks for what a server
// without memory, or without OpenAI's own tools, cannot do.
Result<Conversation> read_responses_request(std::string_view body);

// The conversation as a Responses request. What a model thought earlier is left out. invalid: it asks what
// the protocol does not have, with the path in the protocol it came from.
Result<std::string> write_responses_request(const Conversation& conversation,
                                            const TranslateOptions& options);

}  // namespace sheaf::protocol
