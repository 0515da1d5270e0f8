#include "backend/scripted/scripted_chat.h"

#include <chrono>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "backend/json_text.h"
#include "base/clock.h"
#include "jsonl/writer.h"
#include "protocol/translation.h"

namespace sheaf::backend {
namespace {

namespace json = boost::json;
using jsonl::Writer;

std::string_view view(json::string_view text) {
    return {text.data(), text.size()};
}

const json::object* find_object(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member == nullptr ? nullptr : member->if_object();
}

const json::array* find_array(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member == nullptr ? nullptr : member->if_array();
}

std::string text_member(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_string() ? std::string(view(member->get_string())) : std::string();
}

// A string, or the texts of an array of parts.
std::string content_text(const json::object& message) {
    std::string text = text_member(message, "content");
    if (const auto* parts = find_array(message, "content"))
        for (const auto& part : *parts)
            if (part.is_object()) text += text_member(part.get_object(), "text");
    return text;
}

std::string last_prompt(const json::object& request) {
    std::string prompt;
    if (const auto* messages = find_array(request, "messages"))
        for (const auto& message : *messages)
            if (message.is_object() && text_member(message.get_object(), "role") == "user")
                prompt = content_text(message.get_object());
    return prompt;
}

ForcedTool named_tool(const json::object& tool) {
    ForcedTool named{.type = text_member(tool, "type"), .name = {}};
    if (const auto* rules = find_object(tool, named.type)) named.name = text_member(*rules, "name");
    return named;
}

std::optional<ForcedTool> find_forced_tool(const json::object& request) {
    if (const auto* choice = find_object(request, "tool_choice")) return named_tool(*choice);
    const auto* tools = find_array(request, "tools");
    if (text_member(request, "tool_choice") != "required" || tools == nullptr || tools->empty() ||
        !tools->front().is_object())
        return std::nullopt;
    return named_tool(tools->front().get_object());
}

void write_head(Writer& out, const ChatReply& reply, std::string_view object) {
    const auto now = std::chrono::floor<std::chrono::seconds>(SystemClock().now());
    out.open_object().member("id", reply.id).member("object", object);
    out.member("created", now.time_since_epoch().count()).member("model", reply.model);
}

std::string_view finish_of(const ChatReply& reply) {
    if (reply.called) return "tool_calls";
    return reply.is_cut ? "length" : "stop";
}

enum class Form : std::uint8_t { whole, delta };

std::string called_json(const ChatReply& reply, Form form) {
    const auto& tool = *reply.called;
    const bool is_custom = tool.type == "custom";
    Writer out;
    out.open_array().open_object();
    if (form == Form::delta) out.member("index", 0);
    out.member("id", "call_" + reply.id.substr(reply.id.find('-') + 1));
    out.member("type", tool.type).key(tool.type).open_object().member("name", tool.name);
    out.member(is_custom ? "input" : "arguments", is_custom ? "" : "{}");
    return out.close_object().close_object().close_array().take();
}

void write_usage(Writer& out, const core::Usage& usage) {
    out.key("usage").open_object().member("prompt_tokens", usage.input_tokens);
    out.member("completion_tokens", usage.output_tokens);
    out.member("total_tokens", usage.input_tokens + usage.output_tokens).close_object();
}

std::string as_event(std::string_view data) {
    return fmt::format("data: {}\n\n", data);
}

std::string chunk(const ChatReply& reply, std::string_view delta, std::string_view finish) {
    Writer out;
    write_head(out, reply, "chat.completion.chunk");
    out.key("choices").open_array().open_object().member("index", 0).member_raw("delta", delta);
    out.member_null("logprobs").key("finish_reason");
    if (finish.empty())
        out.null();
    else
        out.value(finish);
    return as_event(out.close_object().close_array().close_object().take());
}

std::string delta_of(std::string_view name, std::string_view value) {
    return fmt::format(R"({{"{}":{}}})", name, value);
}

}  // namespace

Result<ChatRequest> read_chat_request(const core::ModelRequest& request) {
    Result<std::string> body = request.body;
    if (request.protocol != core::Protocol::chat_completions)
        body = protocol::translate_request(request.protocol, core::Protocol::chat_completions, request.body,
                                           {.model = request.model});
    if (!body) return std::unexpected(body.error());
    const auto document = parse_json(*body);
    if (!document || !document->is_object())
        return fail(ErrorCode::invalid, "The request is not a JSON object.");
    const auto& chat = document->get_object();
    ChatRequest asked{.prompt = last_prompt(chat), .forced_tool = find_forced_tool(chat)};
    const auto* format = find_object(chat, "response_format");
    if (format == nullptr) return asked;
    const auto type = text_member(*format, "type");
    asked.wants_json = type == "json_object" || type == "json_schema";
    if (const auto* rules = find_object(*format, "json_schema"))
        if (const auto* schema = rules->if_contains("schema")) asked.schema = *schema;
    return asked;
}

std::string chat_completion(const ChatReply& reply) {
    Writer out;
    write_head(out, reply, "chat.completion");
    out.key("choices").open_array().open_object().member("index", 0);
    out.key("message").open_object().member("role", "assistant");
    if (reply.called)
        out.member_null("content").member_null("refusal").member_raw("tool_calls",
                                                                     called_json(reply, Form::whole));
    else
        out.member("content", reply.text).member_null("refusal");
    out.close_object().member_null("logprobs").member("finish_reason", finish_of(reply));
    out.close_object().close_array();
    write_usage(out, reply.usage);
    return out.close_object().take();
}

std::vector<std::string> chat_events(const ChatReply& reply) {
    std::vector<std::string> events;
    if (reply.called) {
        events.push_back(chunk(reply, R"({"role":"assistant","content":null})", ""));
        events.push_back(chunk(reply, delta_of("tool_calls", called_json(reply, Form::delta)), ""));
    } else {
        events.push_back(chunk(reply, R"({"role":"assistant","content":"","refusal":null})", ""));
        for (const auto word : words_of(reply.text)) {
            std::string quoted;
            jsonl::append_string(quoted, word, jsonl::Charset::utf8);
            events.push_back(chunk(reply, delta_of("content", quoted), ""));
        }
    }
    events.push_back(chunk(reply, "{}", finish_of(reply)));
    Writer usage;
    write_head(usage, reply, "chat.completion.chunk");
    usage.key("choices").open_array().close_array();
    write_usage(usage, reply.usage);
    events.push_back(as_event(usage.close_object().take()));
    events.push_back(as_event("[DONE]"));
    return events;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!text.empty()) {
        const auto space = text.find(' ');
        const auto count = space == std::string_view::npos ? text.size() : space + 1;
        words.push_back(text.substr(0, count));
        text.remove_prefix(count);
    }
    return words;
}

}  // namespace sheaf::backend
