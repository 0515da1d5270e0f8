#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/item.h"
#include "protocol/event_stream.h"

namespace sheaf::backend::chat_http {

// What a chat completion says, of its first choice.
struct Reply {
    std::string text;
    std::string refusal;
    std::string finish;  // "stop", "length", "content_filter", …; empty: the server did not say
    std::optional<core::Usage> usage;
};

// A completion that came in one piece. invalid: it is none; the message says why, also when it is an error
// object.
Result<Reply> parse_reply(std::string_view body);

// A completion that comes as server-sent events, or, from servers that do not stream, in one piece after all.
class StreamedReply {
public:
    // `on_text` gets each piece of the answer's text as it comes.
    explicit StreamedReply(std::function<void(std::string_view)> on_text) : on_text_(std::move(on_text)) {}

    // invalid, too_large: no use to read on.
    Result<> feed(std::string_view bytes);
    // invalid: the stream ended before the answer did.
    Result<Reply> finish();

private:
    Result<> take(const std::string& event);

    std::function<void(std::string_view)> on_text_;
    protocol::EventStream events_;
    Reply reply_;
    std::string whole_;  // of a server that does not stream
    bool is_stream_ = false;
    bool is_whole_ = false;
    bool is_over_ = false;
};

}  // namespace sheaf::backend::chat_http
