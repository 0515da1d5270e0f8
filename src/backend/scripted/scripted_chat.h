#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "base/result.h"
#include "core/inference.h"

// Model requests of every protocol, read and answered as chat completions: the protocol module takes them to
// the client's own.
namespace sheaf::backend {

struct ForcedTool {
    std::string type;  // "function" or "custom"
    std::string name;
};

// What a request asks, as far as the script cares.
struct ChatRequest {
    std::string prompt;  // the text of the user's last message
    std::optional<ForcedTool> forced_tool;
    bool wants_json = false;
    std::optional<boost::json::value> schema;  // that the JSON follows
};
// invalid: it cannot be said as a chat, and why, with the path.
Result<ChatRequest> read_chat_request(const core::ModelRequest& request);

// What is answered.
struct ChatReply {
    std::string id;  // "chatcmpl-…"
    std::string model;
    std::string text;
    std::optional<ForcedTool> called;  // without arguments, in place of the text
    bool is_cut = false;
    core::Usage usage;
};
// A whole completion, as a server sends it.
std::string chat_completion(const ChatReply& reply);
// The same as server-sent events, a word each.
std::vector<std::string> chat_events(const ChatReply& reply);

// The words of `text`, each with the blank after it.
std::vector<std::string_view> words_of(std::string_view text);

}  // namespace sheaf::backend
