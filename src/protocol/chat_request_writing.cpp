#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "jsonl/writer.h"
#include "protocol/chat_request.h"
#include "protocol/field_names.h"
#include "protocol/merged_turns.h"

namespace sheaf::protocol {
namespace {

using jsonl::Writer;

constexpr std::string_view kBetweenTexts = "\n\n";

template <class Wanted>
bool has(const std::vector<Part>& parts) {
    return std::ranges::any_of(parts, [](const Part& part) { return std::holds_alternative<Wanted>(part); });
}

std::string text_of(const ToolResult& result) {
    // Chat Completions cannot mark a failure.
    std::string text = result.is_error ? "Error: " : "";
    bool is_first = true;
    for (const auto& part : result.content) {
        const auto* said = std::get_if<Text>(&part);
        if (said == nullptr) continue;
        if (!is_first) text += '\n';
        is_first = false;
        text += said->text;
    }
    return text;
}

void write_part(Writer& json, const Text& text) {
    if (!text.text.empty())
        json.open_object().member("type", "text").member("text", text.text).close_object();
}

void write_part(Writer& json, const Image& image) {
    json.open_object().member("type", "image_url").key("image_url").open_object().member("url", image.url);
    if (!image.detail.empty()) json.member("detail", image.detail);
    json.close_object().close_object();
}

void write_plain_message(Writer& json, std::string_view role, std::string_view text) {
    json.open_object().member("role", role).member("content", text).close_object();
}

// The results of tools come first, as messages of their own; their images cannot be said there and lead the
// message that follows.
void write_user_turn(Writer& json, const Turn& turn) {
    std::vector<const Image*> images;
    for (const auto& part : turn.parts) {
        const auto* result = std::get_if<ToolResult>(&part);
        if (result == nullptr) continue;
        json.open_object().member("role", "tool").member("tool_call_id", result->call_id);
        json.member("content", text_of(*result)).close_object();
        for (const auto& piece : result->content)
            if (const auto* image = std::get_if<Image>(&piece)) images.push_back(image);
    }
    if (images.empty() && !has<Image>(turn.parts)) {
        if (has<Text>(turn.parts)) write_plain_message(json, "user", joined_texts(turn.parts, kBetweenTexts));
        return;
    }
    json.open_object().member("role", "user").key("content").open_array();
    for (const auto* image : images) write_part(json, *image);
    for (const auto& part : turn.parts) {
        if (const auto* text = std::get_if<Text>(&part)) write_part(json, *text);
        if (const auto* image = std::get_if<Image>(&part)) write_part(json, *image);
    }
    json.close_array().close_object();
}

void write_tool_call(Writer& json, const ToolCall& call) {
    const std::string_view type = call.custom ? "custom" : "function";
    json.open_object().member("id", call.id).member("type", type);
    json.key(type).open_object().member("name", call.name);
    const bool is_bare = call.arguments.empty() && !call.custom;
    json.member(call.custom ? "input" : "arguments", is_bare ? "{}" : call.arguments)
        .close_object()
        .close_object();
}

void write_assistant_turn(Writer& json, const Turn& turn) {
    const bool has_calls = has<ToolCall>(turn.parts);
    const bool has_refusal = has<Refusal>(turn.parts);
    const auto text = joined_texts(turn.parts, kBetweenTexts);
    if (text.empty() && !has_calls && !has_refusal) return;
    json.open_object().member("role", "assistant").key("content");
    if (text.empty())
        json.null();
    else
        json.value(text);
    if (has_refusal) {
        std::string refusals;
        for (const auto& part : turn.parts)
            if (const auto* refusal = std::get_if<Refusal>(&part)) refusals += refusal->text;
        json.member("refusal", refusals);
    }
    if (has_calls) {
        json.key("tool_calls").open_array();
        for (const auto& part : turn.parts)
            if (const auto* call = std::get_if<ToolCall>(&part)) write_tool_call(json, *call);
        json.close_array();
    }
    json.close_object();
}

Result<> write_turn(Writer& json, const Turn& turn) {
    if (turn.role != Role::user && has<Image>(turn.parts))
        return cannot_say(Protocol::chat_completions, "images outside the user's messages", turn.where);
    switch (turn.role) {
        case Role::system:
            write_plain_message(json, "system", joined_texts(turn.parts, kBetweenTexts));
            break;
        case Role::user:
            write_user_turn(json, turn);
            break;
        case Role::assistant:
            write_assistant_turn(json, turn);
            break;
    }
    return {};
}

void write_tools(Writer& json, const Conversation& conversation) {
    if (conversation.tools.empty()) return;
    json.key("tools").open_array();
    for (const auto& tool : conversation.tools) {
        const std::string_view type = tool.custom ? "custom" : "function";
        json.open_object().member("type", type).key(type).open_object().member("name", tool.name);
        if (!tool.description.empty()) json.member("description", tool.description);
        if (!tool.parameters.empty()) json.member_raw("parameters", tool.parameters);
        if (tool.strict) json.member("strict", *tool.strict);
        json.close_object().close_object();
    }
    json.close_array();
    if (conversation.parallel_tool_calls)
        json.member("parallel_tool_calls", *conversation.parallel_tool_calls);
}

void write_tool_choice(Writer& json, const Conversation& conversation) {
    if (!conversation.tool_choice) return;
    const ToolChoice& choice = *conversation.tool_choice;
    // Servers refuse a choice where there is none to make.
    if (conversation.tools.empty() &&
        (choice.kind == ToolChoice::Kind::automatic || choice.kind == ToolChoice::Kind::none))
        return;
    json.key("tool_choice");
    switch (choice.kind) {
        case ToolChoice::Kind::automatic:
            json.value("auto");
            return;
        case ToolChoice::Kind::required:
            json.value("required");
            return;
        case ToolChoice::Kind::none:
            json.value("none");
            return;
        case ToolChoice::Kind::named:
            break;
    }
    const bool is_custom = std::ranges::any_of(
        conversation.tools, [&](const Tool& tool) { return tool.custom && tool.name == choice.name; });
    const std::string_view type = is_custom ? "custom" : "function";
    json.open_object().member("type", type).key(type).open_object().member("name", choice.name);
    json.close_object().close_object();
}

void write_format(Writer& json, const AnswerFormat& format) {
    switch (format.kind) {
        case AnswerFormat::Kind::text:
            return;
        case AnswerFormat::Kind::json:
            json.key("response_format").open_object().member("type", "json_object").close_object();
            return;
        case AnswerFormat::Kind::json_schema:
            break;
    }
    json.key("response_format").open_object().member("type", "json_schema").key("json_schema").open_object();
    json.member("name", format.name.empty() ? "output" : format.name);
    if (!format.description.empty()) json.member("description", format.description);
    json.member_raw("schema", format.schema);
    if (format.strict) json.member("strict", *format.strict);
    json.close_object().close_object();
}

// An effort is the protocol's own way to say it. Messages switches thinking itself, which the open servers
// take as a switch of the chat template, with a budget under two names.
void write_reasoning(Writer& json, const Conversation& conversation) {
    const Reasoning& reasoning = conversation.reasoning;
    if (!reasoning.effort.empty()) json.member("reasoning_effort", reasoning.effort);
    if (conversation.source != Protocol::messages || reasoning.mode == Reasoning::Mode::unsaid) return;
    json.key("chat_template_kwargs").open_object();
    json.member("enable_thinking", reasoning.mode == Reasoning::Mode::on).close_object();
    if (reasoning.budget_tokens) {
        json.member("thinking_token_budget", *reasoning.budget_tokens);
        json.member("thinking_budget_tokens", *reasoning.budget_tokens);
    }
}

void write_sampling(Writer& json, const Conversation& conversation) {
    const std::pair<std::string_view, const std::optional<std::string>&> numbers[] = {
        {"temperature", conversation.temperature},
        {"top_p", conversation.top_p},
        {"top_k", conversation.top_k},
        {"frequency_penalty", conversation.frequency_penalty},
        {"presence_penalty", conversation.presence_penalty},
        {"seed", conversation.seed},
    };
    for (const auto& [name, number] : numbers)
        if (number) json.member_raw(name, *number);
    if (!conversation.stop.empty()) {
        json.key("stop").open_array();
        for (const auto& text : conversation.stop) json.value(text);
        json.close_array();
    }
    if (conversation.top_logprobs)
        json.member("logprobs", true).member("top_logprobs", *conversation.top_logprobs);
}

}  // namespace

Result<std::string> write_chat_request(Conversation conversation, const TranslateOptions& options) {
    if (conversation.max_tokens == 0U)
        return cannot_say(Protocol::chat_completions, "requests without an answer", conversation,
                          Field::max_tokens);
    conversation.turns = merged_turns(std::move(conversation.turns));
    if (conversation.turns.empty())
        return cannot_say(Protocol::chat_completions, "empty messages", conversation, Field::turns);

    Writer json;
    json.open_object().member("model", options.model).key("messages").open_array();
    for (const auto& turn : conversation.turns)
        if (auto written = write_turn(json, turn); !written) return std::unexpected(written.error());
    json.close_array();
    write_tools(json, conversation);
    write_tool_choice(json, conversation);
    write_format(json, conversation.format);
    write_reasoning(json, conversation);
    if (conversation.max_tokens) json.member("max_tokens", *conversation.max_tokens);
    write_sampling(json, conversation);
    if (!conversation.verbosity.empty()) json.member("verbosity", conversation.verbosity);
    if (!conversation.user.empty()) json.member("user", conversation.user);
    if (conversation.is_continued)
        json.member("continue_final_message", true).member("add_generation_prompt", false);
    if (options.stream) json.member("stream", true).member_raw("stream_options", R"({"include_usage":true})");
    return json.close_object().take();
}

}  // namespace sheaf::protocol
