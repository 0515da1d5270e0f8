#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/inference.h"
#include "core/item.h"

// The canonical value that the three protocols are translated through: what a request asks and what an answer
// says, in nobody's form. JSON that is passed on as it is (schemas, arguments) stays text.
namespace sheaf::protocol {

struct Text {
    std::string text;
};
struct Image {
    std::string url;     // "https://…" or "data:image/png;base64,…"
    std::string detail;  // "low", "high", "auto" or empty
    // Its path in the request, for a protocol that has no such image.
    std::string where = {};
};
// What a model thought before it answered, shown again or as part of an answer.
struct Thinking {
    std::string text;
    std::string signature;  // opaque; empty where the protocol has none
};
// Thoughts that only their own server can read.
struct RedactedThinking {
    std::string data;
};
struct Refusal {
    std::string text;
};
// A call of a tool that the model asks for.
struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments;  // JSON text, as it came; of a custom tool, its input as it is
    bool custom = false;
};
struct ToolResult {
    std::string call_id;
    std::vector<std::variant<Text, Image>> content;
    bool is_error = false;
};
using Part = std::variant<Text, Image, Thinking, RedactedThinking, Refusal, ToolCall, ToolResult>;

enum class Role : std::uint8_t { system, user, assistant };

// Turns stand in the order they were said. Tool results are parts of a user turn, whatever the protocol calls
// their role; a system turn may stand anywhere.
struct Turn {
    Role role = Role::user;
    std::vector<Part> parts;
    std::string where;  // the path of the turn in the request, for what cannot be said elsewhere
};

struct Tool {
    std::string name;
    std::string description;
    std::string parameters;  // a JSON Schema as text; empty for none
    std::optional<bool> strict;
    bool custom = false;
    std::string where = {};  // its path in the request
};

struct ToolChoice {
    enum class Kind : std::uint8_t { automatic, required, none, named } kind = Kind::automatic;
    std::string name;  // of named
};

// The form of the answer.
struct AnswerFormat {
    enum class Kind : std::uint8_t { text, json, json_schema } kind = Kind::text;
    std::string name;    // of json_schema
    std::string schema;  // the same, as text
    std::string description;
    std::optional<bool> strict;
};

struct Reasoning {
    enum class Mode : std::uint8_t { unsaid, off, on } mode = Mode::unsaid;
    std::optional<std::uint32_t> budget_tokens;
    std::string effort;  // "none", "minimal", "low", "medium", "high", "xhigh", "max" or empty
};

struct Conversation {
    core::Protocol source = core::Protocol::chat_completions;  // that it was read from
    std::vector<Turn> turns;
    bool is_continued = false;  // the last turn, the assistant's, is the beginning of the answer
    std::vector<Tool> tools;
    std::optional<ToolChoice> tool_choice;
    std::optional<bool> parallel_tool_calls;
    AnswerFormat format;
    Reasoning reasoning;
    std::optional<std::uint64_t> max_tokens;
    // Numbers as JSON text, so that none changes on the way.
    std::optional<std::string> temperature;
    std::optional<std::string> top_p;
    std::optional<std::string> top_k;
    std::optional<std::string> frequency_penalty;
    std::optional<std::string> presence_penalty;
    std::optional<std::string> seed;
    std::vector<std::string> stop;
    std::optional<std::uint32_t> top_logprobs;  // with the log probabilities of the answer's tokens
    std::string verbosity;
    std::string user;
};

enum class StopReason : std::uint8_t {
    end,             // it had said all
    stop_sequence,   // it came to one of the request's
    length,          // max_tokens
    context_length,  // the model's own limit
    tool_use,        // it waits for its tools
    refusal,         // it, or a filter before it, declined
};

struct Completion {
    std::string id;  // the server's own
    std::string model;
    std::vector<Part> parts;  // Thinking, RedactedThinking, Text, Refusal, ToolCall
    StopReason stop = StopReason::end;
    std::optional<std::string> stop_sequence;  // which one, where the server tells
    std::string logprobs;                      // the content entries as a JSON array; empty for none
    std::optional<core::Usage> usage;
};

}  // namespace sheaf::protocol
