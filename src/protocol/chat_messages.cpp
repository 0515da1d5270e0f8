#include "protocol/chat_messages.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace sheaf::protocol {
namespace {

constexpr std::size_t kShownTypeMax = 64;

Result<> refuse_unknown(const Value& value) {
    return untranslatable(value, "such field");
}
Result<> pass_over(const Value& /*value*/) {
    return {};
}

Result<> read_image(const Value& part, std::vector<Part>& parts) {
    const auto image = part.find("image_url");
    if (!image) return part.refuse("An image part must have an image_url");
    Image read{.url = {}, .detail = {}, .where = part.path()};
    constexpr std::array kImage{
        Member<Image>{"url", [](const Value& value, Image& out) { return read_text(value, out.url); }},
        Member<Image>{"detail", [](const Value& value, Image& out) { return read_text(value, out.detail); }},
    };
    if (auto done = read_object<Image>(*image, read, kImage, pass_over); !done) return done;
    if (read.url.empty()) return image->refuse("An image must have a url");
    parts.emplace_back(std::move(read));
    return {};
}

Result<> read_part(const Value& part, std::vector<Part>& parts) {
    const auto type = required_text(part, "type");
    if (!type) return std::unexpected(type.error());
    if (*type == "image_url") return read_image(part, parts);
    if (*type != "text" && *type != "refusal")
        return untranslatable(part, fmt::format("content of the type {}", type->substr(0, kShownTypeMax)));
    const auto text = required_text(part, *type);
    if (!text) return std::unexpected(text.error());
    if (*type == "refusal")
        parts.emplace_back(Refusal{std::string(*text)});
    else if (!text->empty())
        parts.emplace_back(Text{std::string(*text)});
    return {};
}

// A string, or an array of parts.
Result<> read_content(const Value& content, std::vector<Part>& parts) {
    std::string_view text;
    if (content.json().get(text) != simdjson::SUCCESS)
        return for_each_value(content, [&](const Value& part) { return read_part(part, parts); });
    parts.emplace_back(Text{std::string(text)});
    return {};
}

Result<> read_tool_call(const Value& value, std::vector<Part>& calls) {
    if (auto fits = expect_object(value); !fits) return fits;
    ToolCall call;
    call.custom = value.find("custom").has_value();
    const auto said = value.find(call.custom ? "custom" : "function");
    if (!said) return value.refuse("A tool call must have a function");
    const auto id = required_text(value, "id");
    if (!id) return std::unexpected(id.error());
    const auto name = required_text(*said, "name");
    if (!name) return std::unexpected(name.error());
    const auto arguments = required_text(*said, call.custom ? "input" : "arguments");
    if (!arguments) return std::unexpected(arguments.error());
    call.id = *id;
    call.name = *name;
    call.arguments = *arguments;
    calls.emplace_back(std::move(call));
    return {};
}

struct Message {
    std::string role;
    std::vector<Part> content;
    std::string refusal;
    std::vector<Part> calls;
    std::string call_id;
};
constexpr std::array kMessage{
    Member<Message>{"role", [](const Value& value, Message& out) { return read_text(value, out.role); }},
    Member<Message>{"content",
                    [](const Value& value, Message& out) { return read_content(value, out.content); }},
    Member<Message>{"refusal",
                    [](const Value& value, Message& out) { return read_text(value, out.refusal); }},
    Member<Message>{"tool_calls",
                    [](const Value& value, Message& out) {
                        return for_each_value(
                            value, [&](const Value& call) { return read_tool_call(call, out.calls); });
                    }},
    Member<Message>{"tool_call_id",
                    [](const Value& value, Message& out) { return read_text(value, out.call_id); }},
    Member<Message>{"name", ignore},
    Member<Message>{"annotations", ignore},
    // Earlier thoughts: no other protocol takes them from a chat.
    Member<Message>{"reasoning_content", ignore},
    Member<Message>{"reasoning", ignore},
    Member<Message>{"reasoning_details", ignore},
};

ToolResult tool_result(Message message) {
    ToolResult result{.call_id = std::move(message.call_id), .content = {}};
    for (auto& part : message.content) {
        if (auto* text = std::get_if<Text>(&part)) result.content.emplace_back(std::move(*text));
        if (auto* image = std::get_if<Image>(&part)) result.content.emplace_back(std::move(*image));
    }
    return result;
}

Result<> read_message(const Value& value, std::vector<Turn>& turns) {
    Message message;
    if (auto read = read_object<Message>(value, message, kMessage, refuse_unknown); !read) return read;
    Turn turn{.role = Role::user, .parts = {}, .where = value.path()};
    if (message.role == "tool") {
        if (message.call_id.empty()) return value.refuse("A tool's message must have a tool_call_id");
        turn.parts.emplace_back(tool_result(std::move(message)));
    } else if (message.role == "user" || message.role == "system" || message.role == "developer") {
        if (message.role != "user") turn.role = Role::system;
        turn.parts = std::move(message.content);
    } else if (message.role == "assistant") {
        turn.role = Role::assistant;
        turn.parts = std::move(message.content);
        if (!message.refusal.empty()) turn.parts.emplace_back(Refusal{std::move(message.refusal)});
        std::ranges::move(message.calls, std::back_inserter(turn.parts));
    } else if (message.role == "function") {
        return untranslatable(value, "messages of functions");
    } else {
        return value.refuse(
            "Input should have the role 'developer', 'system', 'user', 'assistant' or 'tool'");
    }
    turns.push_back(std::move(turn));
    return {};
}

}  // namespace

Result<> read_chat_messages(const Value& messages, std::vector<Turn>& turns) {
    return for_each_value(messages, [&](const Value& message) { return read_message(message, turns); });
}

}  // namespace sheaf::protocol
