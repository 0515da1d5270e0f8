#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/translation.h"

namespace sheaf::protocol {

// A server's response object. invalid: it holds no finished answer. Items that no other protocol has are left
// out.
Result<Completion> read_responses_reply(std::string_view reply);
Result<Completion> read_responses_reply(const simdjson::dom::object& reply);
// What one item of its output says is put behind the completion's parts.
void read_responses_item(const simdjson::dom::object& item, Completion& completion);

// The completion as a response object that says `model` and repeats what `request`, the client's own, set.
std::string write_responses_reply(const Completion& completion, std::string_view request,
                                  std::string_view model);

// A server's response object for a client of the same protocol: every member as the server sent it, but for
// "model", and what it left out filled in. invalid: it holds no finished answer.
Result<Reply> complete_responses_reply(std::string_view reply, std::string_view request,
                                       std::string_view model);

}  // namespace sheaf::protocol
