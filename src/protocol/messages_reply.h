#pragma once

#include <string>
#include <string_view>

#include <simdjson.h>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/translation.h"

namespace sheaf::protocol {

// A server's Message object. invalid: it holds no answer. Blocks that no other protocol has are left out.
Result<Completion> read_messages_reply(std::string_view reply);
Result<Completion> read_messages_reply(const simdjson::dom::object& reply);

// What signs thoughts that came without a signature; a Messages server is never shown it.
inline constexpr std::string_view kOwnSignature = "c2hlYWY=";

// The signature to show with a thought: its own, or ours.
std::string_view thinking_signature(const Thinking& thinking);

// Whether a Messages request wants to see what the model thinks.
bool shows_thinking(std::string_view request);

// The completion as a Message object that says `model`, with every field and "service_tier":"standard".
// What the model thought is left out unless `request`, the client's own, asked to see it. invalid: a tool
// call's arguments are no JSON object.
Result<std::string> write_messages_reply(const Completion& completion, std::string_view request,
                                         std::string_view model);

// A server's Message object for a client of the same protocol: every member as the server sent it, but for
// "model", the form of "id" and "service_tier", and what it left out filled in. invalid: it holds no answer.
Result<Reply> complete_messages_reply(std::string_view reply, std::string_view model);

}  // namespace sheaf::protocol
