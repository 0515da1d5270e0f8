#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <simdjson.h>

#include "base/result.h"
#include "protocol/conversation.h"

// What the events of an answer that streams say, in nobody's form.
namespace sheaf::protocol {

struct Started {
    std::string id;  // the server's own
    std::string model;
};
struct TextDelta {
    std::string text;
    std::string logprobs = {};  // the entries of its tokens as a JSON array; empty for none
};
struct ThinkingDelta {
    std::string text;
};
// The signature of the thought so far, which ends there.
struct ThinkingSigned {
    std::string signature;
};
struct RefusalDelta {
    std::string text;
};
// Calls are told apart by `number`: a server may tell several at once.
struct CallStarted {
    std::size_t number = 0;
    std::string id;
    std::string name;
    bool custom = false;
};
struct CallDelta {
    std::size_t number = 0;
    std::string arguments;
};
struct CallEnded {
    std::size_t number = 0;
};
struct Stopped {
    StopReason reason = StopReason::end;
    std::optional<std::string> sequence = {};
};
// The server has no more to say.
struct Ended {};
// core::Usage replaces what was said of usage before.
using Delta = std::variant<Started, TextDelta, ThinkingDelta, ThinkingSigned, RedactedThinking, RefusalDelta,
                           CallStarted, CallDelta, CallEnded, Stopped, core::Usage, Ended>;

// Understands the events of one server's answer in one protocol.
class StreamReader {
public:
    virtual ~StreamReader() = default;
    // What the event says; nothing, where it is not understood. invalid: it is the end of an answer that
    // failed.
    virtual Result<std::vector<Delta>> read(const simdjson::dom::object& event) = 0;
    // The whole answer, where the server repeated it at the end; else empty.
    virtual std::string_view whole_reply() const { return {}; }
};

}  // namespace sheaf::protocol
