#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/translation.h"

namespace sheaf::protocol {

// A Messages request as a conversation. invalid, with the path as "messages.0.content.1.source": it is no
// such request, or asks what other protocols do not have (hosted tools, containers, files, PDF documents).
// Text documents and search results become text.
Result<Conversation> read_messages_request(std::string_view body);

// The conversation as a Messages request. invalid: it asks what the protocol does not have, with the path in
// the protocol it came from. An image's "detail", a hint, is left out; max_tokens, which Messages demands, is
// 4096 where the conversation has none.
Result<std::string> write_messages_request(Conversation conversation, const TranslateOptions& options);

}  // namespace sheaf::protocol
