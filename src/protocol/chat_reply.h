#pragma once

#include <string>
#include <string_view>

#include <simdjson.h>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/translation.h"

namespace sheaf::protocol {

// A server's chat.completion object. invalid: it holds no finished answer. Of several choices the first
// counts.
Result<Completion> read_chat_reply(std::string_view reply);
Result<Completion> read_chat_reply(const simdjson::dom::object& reply);

// The completion as a chat.completion object that says `model`. What the model thought stands in
// "reasoning_content", where llama-server and SGLang put it.
std::string write_chat_reply(const Completion& completion, std::string_view model);

// A server's chat.completion object for a client of the same protocol: every member as the server sent it,
// but for "model", and what it left out filled in. invalid: it holds no finished answer.
Result<Reply> complete_chat_reply(std::string_view reply, std::string_view model);

}  // namespace sheaf::protocol
