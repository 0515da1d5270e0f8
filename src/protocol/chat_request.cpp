#include "protocol/chat_request.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "protocol/chat_messages.h"
#include "protocol/value.h"

namespace sheaf::protocol {
namespace {

constexpr std::uint64_t kTopLogprobsMax = 20;

Result<> refuse_unknown(const Value& value) {
    return untranslatable(value, "such field");
}
constexpr std::array kFunction{
    Member<Tool>{"name", [](const Value& value, Tool& out) { return read_text(value, out.name); }},
    Member<Tool>{"description",
                 [](const Value& value, Tool& out) { return read_text(value, out.description); }},
    Member<Tool>{"parameters",
                 [](const Value& value, Tool& out) { return read_schema(value, out.parameters); }},
    Member<Tool>{"strict", [](const Value& value, Tool& out) { return read_flag(value, out.strict); }},
    Member<Tool>{"format",
                 [](const Value& value, Tool&) -> Result<> {
                     const auto type = required_text(value, "type");
                     if (type && *type == "text") return {};
                     return untranslatable(value, "grammars of custom tools");
                 }},
};

Result<> read_tool(const Value& value, std::vector<Tool>& tools) {
    const auto type = required_text(value, "type");
    if (!type) return std::unexpected(type.error());
    if (*type != "function" && *type != "custom") return untranslatable(value, "such tool");
    const auto said = value.find(*type);
    if (!said) return value.refuse(fmt::format("A tool of the type {} must have a {}", *type, *type));
    Tool tool{.custom = *type == "custom", .where = value.path()};
    if (auto read = read_object<Tool>(*said, tool, kFunction, refuse_unknown); !read) return read;
    if (tool.name.empty()) return said->refuse("A tool must have a name");
    tools.push_back(std::move(tool));
    return {};
}

Result<ToolChoice::Kind> read_choice_word(const Value& value) {
    const auto word = as_text(value);
    if (!word) return std::unexpected(word.error());
    if (*word == "auto") return ToolChoice::Kind::automatic;
    if (*word == "required") return ToolChoice::Kind::required;
    if (*word == "none") return ToolChoice::Kind::none;
    return value.refuse("Input should be 'none', 'auto' or 'required'");
}

// The name in {"type":"function","function":{"name":…}}.
Result<std::string> read_named_tool(const Value& value) {
    const auto type = required_text(value, "type");
    if (!type) return std::unexpected(type.error());
    const auto said = value.find(*type);
    if ((*type != "function" && *type != "custom") || !said)
        return value.refuse("Input should name a function");
    const auto name = required_text(*said, "name");
    if (!name) return std::unexpected(name.error());
    return std::string(*name);
}

struct Request {
    Conversation conversation;
    bool wants_logprobs = false;
    std::optional<std::uint64_t> top_logprobs;
    std::optional<std::uint64_t> max_tokens;  // the old field, which the new one outdoes
    std::vector<std::string> allowed_tools;   // empty: all
};

// The tools that may not be called are gone: the model cannot call them either way.
Result<> read_allowed_tools(const Value& choice, Request& out) {
    const auto allowed = choice.find("allowed_tools");
    const auto mode = allowed ? allowed->find("mode") : std::nullopt;
    const auto tools = allowed ? allowed->find("tools") : std::nullopt;
    if (!mode || !tools) return choice.refuse("Input should have allowed_tools with a mode and tools");
    const auto kind = read_choice_word(*mode);
    if (!kind) return std::unexpected(kind.error());
    out.conversation.tool_choice = ToolChoice{.kind = *kind, .name = {}};
    return for_each_value(*tools, [&](const Value& tool) -> Result<> {
        auto name = read_named_tool(tool);
        if (!name) return std::unexpected(name.error());
        out.allowed_tools.push_back(*std::move(name));
        return {};
    });
}

Result<> read_tool_choice(const Value& value, Request& out) {
    if (!value.json().is_object()) {
        const auto kind = read_choice_word(value);
        if (!kind) return std::unexpected(kind.error());
        out.conversation.tool_choice = ToolChoice{.kind = *kind, .name = {}};
        return {};
    }
    if (value.find("allowed_tools")) return read_allowed_tools(value, out);
    auto name = read_named_tool(value);
    if (!name) return std::unexpected(name.error());
    out.conversation.tool_choice = ToolChoice{.kind = ToolChoice::Kind::named, .name = *std::move(name)};
    return {};
}

constexpr std::array kJsonSchema{
    Member<AnswerFormat>{"name",
                         [](const Value& value, AnswerFormat& out) { return read_text(value, out.name); }},
    Member<AnswerFormat>{"description", [](const Value& value,
                                           AnswerFormat& out) { return read_text(value, out.description); }},
    Member<AnswerFormat>{
        "schema", [](const Value& value, AnswerFormat& out) { return read_schema(value, out.schema); }},
    Member<AnswerFormat>{"strict",
                         [](const Value& value, AnswerFormat& out) { return read_flag(value, out.strict); }},
};

Result<> read_response_format(const Value& value, AnswerFormat& out) {
    const auto type = required_text(value, "type");
    if (!type) return std::unexpected(type.error());
    if (*type == "text") return {};
    if (*type == "json_object") {
        out.kind = AnswerFormat::Kind::json;
        return {};
    }
    if (*type != "json_schema") return untranslatable(value, "such format of answers");
    const auto schema = value.find("json_schema");
    if (!schema) return value.refuse("A format of the type json_schema must have a json_schema");
    out.kind = AnswerFormat::Kind::json_schema;
    if (auto read = read_object<AnswerFormat>(*schema, out, kJsonSchema, refuse_unknown); !read) return read;
    if (out.schema.empty()) return schema->refuse("A json_schema must have a schema");
    return {};
}

Result<> read_stop(const Value& value, std::vector<std::string>& stop) {
    if (value.json().is_string()) return read_text(value, stop.emplace_back());
    return for_each_value(value, [&](const Value& text) { return read_text(text, stop.emplace_back()); });
}

Result<> read_effort(const Value& value, Reasoning& out) {
    if (auto read = read_text(value, out.effort); !read) return read;
    out.mode = out.effort == "none" ? Reasoning::Mode::off : Reasoning::Mode::on;
    return {};
}

// Other servers than OpenAI's take -1 and 0 for no limit.
Result<> read_top_k(const Value& value, Request& out) {
    double top_k = 0;
    if (value.json().get(top_k) == simdjson::SUCCESS && top_k <= 0) return {};
    return read_number(value, out.conversation.top_k);
}

Result<> read_choice_count(const Value& value, Request& /*out*/) {
    const auto count = as_count(value);
    if (!count) return std::unexpected(count.error());
    if (*count != 1) return untranslatable(value, "several choices in one answer");
    return {};
}

Result<> expect_text_alone(const Value& value, Request& /*out*/) {
    return for_each_value(value, [](const Value& modality) -> Result<> {
        const auto word = as_text(modality);
        if (!word) return std::unexpected(word.error());
        if (*word != "text") return untranslatable(modality, "answers other than text");
        return {};
    });
}

Result<> expect_empty(const Value& value, Request& /*out*/) {
    if (value.json().is_object() && dom::object(value.json()).size() == 0) return {};
    return untranslatable(value, "such field");
}

Result<> read_prefill(const Value& value, Request& out) {
    const auto flag = as_flag(value);
    if (!flag) return std::unexpected(flag.error());
    out.conversation.is_continued = *flag;
    return {};
}

template <auto field>
Result<> number(const Value& value, Request& out) {
    return read_number(value, out.conversation.*field);
}

constexpr std::array kRequest{
    Member<Request>{"model", ignore},
    Member<Request>{
        "messages",
        [](const Value& value, Request& out) { return read_chat_messages(value, out.conversation.turns); }},
    Member<Request>{"temperature", number<&Conversation::temperature>},
    Member<Request>{"top_p", number<&Conversation::top_p>},
    Member<Request>{"top_k", read_top_k},
    Member<Request>{"frequency_penalty", number<&Conversation::frequency_penalty>},
    Member<Request>{"presence_penalty", number<&Conversation::presence_penalty>},
    Member<Request>{"seed", number<&Conversation::seed>},
    Member<Request>{
        "max_completion_tokens",
        [](const Value& value, Request& out) { return read_count(value, out.conversation.max_tokens); }},
    Member<Request>{"max_tokens",
                    [](const Value& value, Request& out) { return read_count(value, out.max_tokens); }},
    Member<Request>{"n", read_choice_count},
    Member<Request>{"stop",
                    [](const Value& value, Request& out) { return read_stop(value, out.conversation.stop); }},
    Member<Request>{"logit_bias", expect_empty},
    Member<Request>{"logprobs",
                    [](const Value& value, Request& out) -> Result<> {
                        const auto flag = as_flag(value);
                        if (!flag) return std::unexpected(flag.error());
                        out.wants_logprobs = *flag;
                        return {};
                    }},
    Member<Request>{"top_logprobs",
                    [](const Value& value, Request& out) -> Result<> {
                        if (auto read = read_count(value, out.top_logprobs); !read) return read;
                        if (out.top_logprobs > kTopLogprobsMax)
                            return value.refuse("Input should be less than or equal to 20");
                        return {};
                    }},
    Member<Request>{"response_format",
                    [](const Value& value, Request& out) {
                        return read_response_format(value, out.conversation.format);
                    }},
    Member<Request>{"tools",
                    [](const Value& value, Request& out) {
                        return for_each_value(value, [&](const Value& tool) {
                            return read_tool(tool, out.conversation.tools);
                        });
                    }},
    Member<Request>{"tool_choice", read_tool_choice},
    Member<Request>{"parallel_tool_calls",
                    [](const Value& value, Request& out) {
                        return read_flag(value, out.conversation.parallel_tool_calls);
                    }},
    Member<Request>{
        "reasoning_effort",
        [](const Value& value, Request& out) { return read_effort(value, out.conversation.reasoning); }},
    Member<Request>{"verbosity", [](const Value& value,
                                    Request& out) { return read_text(value, out.conversation.verbosity); }},
    Member<Request>{"user",
                    [](const Value& value, Request& out) { return read_text(value, out.conversation.user); }},
    Member<Request>{"modalities", expect_text_alone},
    Member<Request>{"continue_final_message", read_prefill},
    Member<Request>{"add_generation_prompt", ignore},
    // These change no answer.
    Member<Request>{"stream", ignore},
    Member<Request>{"stream_options", ignore},
    Member<Request>{"safety_identifier", ignore},
    Member<Request>{"prompt_cache_key", ignore},
    Member<Request>{"prompt_cache_retention", ignore},
    Member<Request>{"metadata", ignore},
    Member<Request>{"store", ignore},
    Member<Request>{"service_tier", ignore},
    Member<Request>{"prediction", ignore},
};

}  // namespace

Result<Conversation> read_chat_request(std::string_view body) {
    const auto document = jsonl::Document::parse(body);
    if (!document) return std::unexpected(document.error());
    Request request;
    const Value root(document->root(), PathStyle::bracketed);
    if (auto read = read_object<Request>(root, request, kRequest, refuse_unknown); !read)
        return std::unexpected(read.error());

    Conversation& conversation = request.conversation;
    conversation.source = Protocol::chat_completions;
    if (!root.find("messages") || conversation.turns.empty())
        return fail(ErrorCode::invalid, "Field required", "messages");
    if (conversation.is_continued && conversation.turns.back().role != Role::assistant)
        return fail(ErrorCode::invalid, "The last message must be the assistant's", "continue_final_message");
    if (!conversation.max_tokens) conversation.max_tokens = request.max_tokens;
    if (request.wants_logprobs)
        conversation.top_logprobs = static_cast<std::uint32_t>(request.top_logprobs.value_or(0));
    if (!request.allowed_tools.empty()) {
        std::erase_if(conversation.tools, [&](const Tool& tool) {
            return std::ranges::find(request.allowed_tools, tool.name) == request.allowed_tools.end();
        });
    }
    return std::move(conversation);
}

}  // namespace sheaf::protocol
