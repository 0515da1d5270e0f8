#include "protocol/messages_request.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "jsonl/document.h"
#include "protocol/messages_blocks.h"
#include "protocol/value.h"

namespace sheaf::protocol {
namespace {

Result<> refuse_unknown(const Value& value) {
    return untranslatable(value, "such field");
}
Result<> pass_over(const Value& /*value*/) {
    return {};
}

struct Message {
    std::string role;
    std::vector<Part> parts;
};
constexpr std::array kMessage{
    Member<Message>{"role", [](const Value& value, Message& out) { return read_text(value, out.role); }},
    Member<Message>{"content",
                    [](const Value& value, Message& out) { return read_messages_content(value, out.parts); }},
};

Result<> read_message(const Value& value, Conversation& out) {
    Message message;
    if (auto read = read_object<Message>(value, message, kMessage, pass_over); !read) return read;
    Turn turn{.role = Role::user, .parts = std::move(message.parts), .where = value.path()};
    if (message.role == "assistant")
        turn.role = Role::assistant;
    else if (message.role == "system")
        turn.role = Role::system;
    else if (message.role != "user")
        return value.refuse("Input should have the role 'user', 'assistant' or 'system'");
    out.turns.push_back(std::move(turn));
    return {};
}

// Whatever the order of the members, it is said first.
Result<> read_system(const Value& value, Conversation& out) {
    Turn turn{.role = Role::system, .parts = {}, .where = value.path()};
    if (auto read = read_messages_content(value, turn.parts); !read) return read;
    out.turns.insert(out.turns.begin(), std::move(turn));
    return {};
}

struct NamedTool {
    Tool tool;
    std::string type;
};
constexpr std::array kTool{
    Member<NamedTool>{"type",
                      [](const Value& value, NamedTool& out) -> Result<> {
                          if (auto read = read_text(value, out.type); !read) return read;
                          if (out.type != "custom") return untranslatable(value, "hosted tools");
                          return {};
                      }},
    Member<NamedTool>{"name",
                      [](const Value& value, NamedTool& out) { return read_text(value, out.tool.name); }},
    Member<NamedTool>{"description", [](const Value& value,
                                        NamedTool& out) { return read_text(value, out.tool.description); }},
    Member<NamedTool>{"input_schema", [](const Value& value,
                                         NamedTool& out) { return read_schema(value, out.tool.parameters); }},
    Member<NamedTool>{"strict",
                      [](const Value& value, NamedTool& out) { return read_flag(value, out.tool.strict); }},
    Member<NamedTool>{"allowed_callers",
                      [](const Value& value, NamedTool&) -> Result<> {
                          return for_each_value(value, [&](const Value& caller) -> Result<> {
                              const auto word = as_text(caller);
                              if (!word) return std::unexpected(word.error());
                              if (*word != "direct")
                                  return untranslatable(caller, "tools that call other tools");
                              return {};
                          });
                      }},
    Member<NamedTool>{"cache_control", ignore},
    Member<NamedTool>{"defer_loading", ignore},
    Member<NamedTool>{"input_examples", ignore},
    Member<NamedTool>{"eager_input_streaming", ignore},
};

Result<> read_tool(const Value& value, Conversation& out) {
    NamedTool read;
    // The type first: a hosted tool has members of its own.
    if (const auto type = value.find("type"))
        if (auto known = kTool[0].read(*type, read); !known) return known;
    if (auto done = read_object<NamedTool>(value, read, kTool, refuse_unknown); !done) return done;
    if (read.tool.name.empty()) return value.refuse("A tool must have a name");
    read.tool.where = value.path();
    out.tools.push_back(std::move(read.tool));
    return {};
}

struct Choice {
    std::string type;
    std::string name;
    std::optional<bool> disable_parallel;
};
constexpr std::array kChoice{
    Member<Choice>{"type", [](const Value& value, Choice& out) { return read_text(value, out.type); }},
    Member<Choice>{"name", [](const Value& value, Choice& out) { return read_text(value, out.name); }},
    Member<Choice>{"disable_parallel_tool_use",
                   [](const Value& value, Choice& out) { return read_flag(value, out.disable_parallel); }},
};

Result<> read_tool_choice(const Value& value, Conversation& out) {
    Choice choice;
    if (auto read = read_object<Choice>(value, choice, kChoice, refuse_unknown); !read) return read;
    using Kind = ToolChoice::Kind;
    constexpr std::array<std::pair<std::string_view, Kind>, 4> kKinds{{
        {"auto", Kind::automatic},
        {"any", Kind::required},
        {"tool", Kind::named},
        {"none", Kind::none},
    }};
    for (const auto& [word, kind] : kKinds)
        if (word == choice.type) out.tool_choice = ToolChoice{.kind = kind, .name = choice.name};
    if (!out.tool_choice) return value.refuse("Input should have the type 'auto', 'any', 'tool' or 'none'");
    if (choice.disable_parallel == true) out.parallel_tool_calls = false;
    return {};
}

struct ThinkingConfig {
    std::string type;
    std::optional<std::uint64_t> budget_tokens;
};
constexpr std::array kThinking{
    Member<ThinkingConfig>{
        "type", [](const Value& value, ThinkingConfig& out) { return read_text(value, out.type); }},
    Member<ThinkingConfig>{
        "budget_tokens",
        [](const Value& value, ThinkingConfig& out) { return read_count(value, out.budget_tokens); }},
    // A matter of the answer, not of the question.
    Member<ThinkingConfig>{"display", ignore},
};

Result<> read_thinking(const Value& value, Conversation& out) {
    ThinkingConfig thinking;
    if (auto read = read_object<ThinkingConfig>(value, thinking, kThinking, refuse_unknown); !read)
        return read;
    if (thinking.type == "disabled") {
        out.reasoning.mode = Reasoning::Mode::off;
        return {};
    }
    if (thinking.type != "enabled" && thinking.type != "adaptive")
        return untranslatable(value, "such kind of thinking");
    out.reasoning.mode = Reasoning::Mode::on;
    if (thinking.budget_tokens) {
        constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
        out.reasoning.budget_tokens = static_cast<std::uint32_t>(std::min(*thinking.budget_tokens, kMax));
    }
    return {};
}

struct Format {
    std::string type;
    std::string schema;
};
constexpr std::array kFormat{
    Member<Format>{"type", [](const Value& value, Format& out) { return read_text(value, out.type); }},
    Member<Format>{"schema", [](const Value& value, Format& out) { return read_schema(value, out.schema); }},
};

Result<> read_format(const Value& value, Conversation& out) {
    Format format;
    if (auto read = read_object<Format>(value, format, kFormat, refuse_unknown); !read) return read;
    if (format.type != "json_schema" || format.schema.empty())
        return untranslatable(value, "such format of answers");
    out.format = {.kind = AnswerFormat::Kind::json_schema,
                  .name = "output",
                  .schema = std::move(format.schema),
                  .strict = true};
    return {};
}

constexpr std::array kOutputConfig{
    Member<Conversation>{"effort", [](const Value& value,
                                      Conversation& out) { return read_text(value, out.reasoning.effort); }},
    Member<Conversation>{"format", read_format},
};

Result<> read_metadata(const Value& value, Conversation& out) {
    const auto user = value.find("user_id");
    return user ? read_text(*user, out.user) : Result<>{};
}

// 0 is no limit.
Result<> read_top_k(const Value& value, Conversation& out) {
    double top_k = 0;
    if (value.json().get(top_k) == simdjson::SUCCESS && top_k <= 0) return {};
    return read_number(value, out.top_k);
}

Result<> expect_empty_array(const Value& value, Conversation& /*out*/) {
    if (value.json().is_array() && dom::array(value.json()).size() == 0) return {};
    return untranslatable(value, "such field");
}

constexpr std::array kRequest{
    Member<Conversation>{"model", ignore},
    Member<Conversation>{"max_tokens", [](const Value& value,
                                          Conversation& out) { return read_count(value, out.max_tokens); }},
    Member<Conversation>{"messages",
                         [](const Value& value, Conversation& out) {
                             return for_each_value(
                                 value, [&](const Value& message) { return read_message(message, out); });
                         }},
    Member<Conversation>{"system", read_system},
    Member<Conversation>{
        "temperature",
        [](const Value& value, Conversation& out) { return read_number(value, out.temperature); }},
    Member<Conversation>{"top_p",
                         [](const Value& value, Conversation& out) { return read_number(value, out.top_p); }},
    Member<Conversation>{"top_k", read_top_k},
    Member<Conversation>{"stop_sequences",
                         [](const Value& value, Conversation& out) {
                             return for_each_value(value, [&](const Value& text) {
                                 return read_text(text, out.stop.emplace_back());
                             });
                         }},
    Member<Conversation>{"tools",
                         [](const Value& value, Conversation& out) {
                             return for_each_value(value,
                                                   [&](const Value& tool) { return read_tool(tool, out); });
                         }},
    Member<Conversation>{"tool_choice", read_tool_choice},
    Member<Conversation>{"thinking", read_thinking},
    Member<Conversation>{"output_config",
                         [](const Value& value, Conversation& out) {
                             return read_object<Conversation>(value, out, kOutputConfig, refuse_unknown);
                         }},
    Member<Conversation>{"output_format", read_format},
    Member<Conversation>{"metadata", read_metadata},
    Member<Conversation>{"mcp_servers", expect_empty_array},
    // These change no answer.
    Member<Conversation>{"stream", ignore},
    Member<Conversation>{"service_tier", ignore},
    Member<Conversation>{"cache_control", ignore},
    Member<Conversation>{"cache_hint", ignore},
    Member<Conversation>{"inference_geo", ignore},
    Member<Conversation>{"diagnostics", ignore},
    Member<Conversation>{"speed", ignore},
    Member<Conversation>{"store", ignore},
    Member<Conversation>{"billing_policy", ignore},
    Member<Conversation>{"user_profile_id", ignore},
    Member<Conversation>{"fallback_credit_token", ignore},
};

// Whether the last turn is the beginning of the answer.
bool is_prefilled(const std::vector<Turn>& turns) {
    if (turns.back().role != Role::assistant) return false;
    const auto& parts = turns.back().parts;
    return std::ranges::any_of(parts, [](const Part& part) { return std::holds_alternative<Text>(part); }) &&
           std::ranges::none_of(parts,
                                [](const Part& part) { return std::holds_alternative<ToolCall>(part); });
}

}  // namespace

Result<Conversation> read_messages_request(std::string_view body) {
    const auto document = jsonl::Document::parse(body);
    if (!document) return std::unexpected(document.error());
    Conversation conversation;
    conversation.source = Protocol::messages;
    const Value root(document->root(), PathStyle::dotted);
    if (auto read = read_object<Conversation>(root, conversation, kRequest, refuse_unknown); !read)
        return std::unexpected(read.error());
    if (!root.find("messages") || conversation.turns.empty())
        return fail(ErrorCode::invalid, "Field required", "messages");
    conversation.is_continued = is_prefilled(conversation.turns);
    return conversation;
}

}  // namespace sheaf::protocol
