#include "protocol/chat_reply.h"

#include <chrono>
#include <cstdint>

#include <fmt/format.h>

#include "base/clock.h"
#include "jsonl/writer.h"
#include "protocol/ids.h"
#include "protocol/members.h"
#include "protocol/reply_json.h"
#include "protocol/stop_reasons.h"
#include "protocol/usage_json.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;
using jsonl::Writer;

constexpr std::string_view kIdPrefix = "chatcmpl-";

std::int64_t seconds_now() {
    return std::chrono::floor<std::chrono::seconds>(SystemClock().now()).time_since_epoch().count();
}

std::optional<dom::object> first_choice(const dom::object& reply) {
    const auto choices = find_array(reply, "choices");
    dom::object choice;
    if (!choices || choices->size() == 0 || choices->at(0).get(choice) != simdjson::SUCCESS)
        return std::nullopt;
    return choice;
}

// A string, or an array of parts, of which the texts count.
void read_content(const dom::object& message, std::vector<Part>& parts) {
    if (const auto text = find_text(message, "content")) {
        if (!text->empty()) parts.emplace_back(Text{std::string(*text)});
        return;
    }
    for_each_object(message, "content", [&](const dom::object& part) {
        const auto text = find_text(part, "text").value_or("");
        if (!text.empty()) parts.emplace_back(Text{std::string(text)});
    });
}

void read_tool_call(const dom::object& said, std::vector<Part>& parts) {
    ToolCall call{.id = std::string(find_text(said, "id").value_or(""))};
    const auto custom = find_object(said, "custom");
    const auto function = find_object(said, "function");
    if (!custom && !function) return;
    const dom::object& holder = custom ? *custom : *function;
    call.custom = custom.has_value();
    call.name = find_text(holder, "name").value_or("");
    const std::string_view arguments = call.custom ? "input" : "arguments";
    // Some servers write the object itself.
    if (const auto object = find_object(holder, arguments))
        call.arguments = json_text(*object);
    else
        call.arguments = find_text(holder, arguments).value_or("");
    parts.emplace_back(std::move(call));
}

// Servers disagree on the name.
std::string_view thoughts_of(const dom::object& message) {
    const auto thoughts = find_text(message, "reasoning_content").value_or("");
    return thoughts.empty() ? find_text(message, "reasoning").value_or("") : thoughts;
}

void read_message(const dom::object& message, std::vector<Part>& parts) {
    if (const auto thoughts = thoughts_of(message); !thoughts.empty())
        parts.emplace_back(Thinking{std::string(thoughts), {}});
    read_content(message, parts);
    if (const auto refusal = find_text(message, "refusal").value_or(""); !refusal.empty())
        parts.emplace_back(Refusal{std::string(refusal)});
    for_each_object(message, "tool_calls", [&](const dom::object& call) { read_tool_call(call, parts); });
    if (const auto call = find_object(message, "function_call"))
        parts.emplace_back(ToolCall{.id = make_id("call_"),
                                    .name = std::string(find_text(*call, "name").value_or("")),
                                    .arguments = std::string(find_text(*call, "arguments").value_or(""))});
}

bool has_tool_call(const Completion& completion) {
    for (const auto& part : completion.parts)
        if (std::holds_alternative<ToolCall>(part)) return true;
    return false;
}

Result<> read_stop(const dom::object& choice, Completion& out) {
    const auto word = find_text(choice, "finish_reason");
    if (!word) return fail(ErrorCode::invalid, "The model server's answer is not finished.");
    const auto stop = read_finish_reason(*word);
    if (!stop)
        return fail(ErrorCode::invalid,
                    fmt::format("The model server's answer ended with \"{}\".", word->substr(0, 64)));
    out.stop = *stop;
    if (out.stop != StopReason::end) return {};
    // A choice of one tool makes servers say "stop" at its call.
    if (has_tool_call(out)) out.stop = StopReason::tool_use;
    // The words are vLLM's and SGLang's; both put a token's number there when it was no string of the
    // client's.
    for (const auto* name : {"stop_reason", "matched_stop"}) {
        const auto matched = find_text(choice, name);
        if (!matched || out.stop != StopReason::end) continue;
        out.stop = StopReason::stop_sequence;
        out.stop_sequence = *matched;
    }
    return {};
}

// All parts of one kind, joined as they came.
template <class Said>
std::string joined(const Completion& completion) {
    std::string text;
    for (const auto& part : completion.parts)
        if (const auto* said = std::get_if<Said>(&part)) text += said->text;
    return text;
}

void write_tool_calls(Writer& json, const Completion& completion) {
    json.key("tool_calls").open_array();
    for (const auto& part : completion.parts) {
        const auto* call = std::get_if<ToolCall>(&part);
        if (call == nullptr) continue;
        const std::string_view type = call->custom ? "custom" : "function";
        json.open_object().member("id", call->id).member("type", type);
        json.key(type).open_object().member("name", call->name);
        json.member(call->custom ? "input" : "arguments", call->arguments).close_object().close_object();
    }
    json.close_array();
}

void write_text_or_null(Writer& json, std::string_view name, const std::string& text, bool is_null) {
    if (is_null)
        json.member_null(name);
    else
        json.member(name, text);
}

void write_message(Writer& json, const Completion& completion) {
    const auto text = joined<Text>(completion);
    const auto refusal = joined<Refusal>(completion);
    const auto thoughts = joined<Thinking>(completion);
    const bool has_calls = has_tool_call(completion);
    json.open_object().member("role", "assistant");
    write_text_or_null(json, "content", text, text.empty() && (has_calls || !refusal.empty()));
    write_text_or_null(json, "refusal", refusal, refusal.empty());
    if (!thoughts.empty()) json.member("reasoning_content", thoughts);
    if (has_calls) write_tool_calls(json, completion);
    json.close_object();
}

std::string usage_text(const Completion& completion) {
    Writer json;
    write_chat_usage(json, completion.usage.value_or(core::Usage{}));
    return json.take();
}

void write_choices(Writer& json, const dom::array& choices) {
    json.open_array();
    std::size_t index = 0;
    for (const dom::element element : choices) {
        dom::object choice;
        if (element.get(choice) != simdjson::SUCCESS) continue;
        write_filled(json, choice, fmt::format(R"({{"index":{},"logprobs":null}})", index++),
                     [](Writer& inner, std::string_view name, dom::element value) {
                         dom::object message;
                         if (name != "message" || value.get(message) != simdjson::SUCCESS) return false;
                         write_filled(inner.key(name), message,
                                      R"({"role":"assistant","content":null,"refusal":null})");
                         return true;
                     });
    }
    json.close_array();
}

}  // namespace

Result<Completion> read_chat_reply(const dom::object& reply) {
    const auto choice = first_choice(reply);
    const auto message = choice ? find_object(*choice, "message") : std::nullopt;
    if (!message) return fail(ErrorCode::invalid, "The model server's answer has no message.");
    Completion out;
    out.id = find_text(reply, "id").value_or("");
    out.model = find_text(reply, "model").value_or("");
    read_message(*message, out.parts);
    if (auto stop = read_stop(*choice, out); !stop) return std::unexpected(stop.error());
    if (const auto logprobs = find_object(*choice, "logprobs"))
        if (const auto entries = find_array(*logprobs, "content")) out.logprobs = json_text(*entries);
    if (const auto usage = find_member(reply, "usage")) out.usage = read_chat_usage(*usage);
    return out;
}

Result<Completion> read_chat_reply(std::string_view reply) {
    const auto document = parse_answer(reply);
    if (!document) return std::unexpected(document.error());
    return read_chat_reply(dom::object(document->root()));
}

std::string write_chat_reply(const Completion& completion, std::string_view model) {
    Writer json;
    json.open_object().member("id", id_with_prefix(kIdPrefix, completion.id));
    json.member("object", "chat.completion").member("created", seconds_now()).member("model", model);
    json.key("choices").open_array().open_object().member("index", 0).key("message");
    write_message(json, completion);
    json.key("logprobs");
    if (completion.logprobs.empty())
        json.null();
    else
        json.open_object().member_raw("content", completion.logprobs).member_null("refusal").close_object();
    json.member("finish_reason", to_finish_reason(completion.stop)).close_object().close_array();
    return json.member_raw("usage", usage_text(completion)).close_object().take();
}

Result<Reply> complete_chat_reply(std::string_view reply, std::string_view model) {
    const auto document = parse_answer(reply);
    if (!document) return std::unexpected(document.error());
    const dom::object server(document->root());
    const auto completion = read_chat_reply(server);
    if (!completion) return std::unexpected(completion.error());

    Writer ours;
    ours.open_object().member("id", id_with_prefix(kIdPrefix, completion->id));
    ours.member("object", "chat.completion").member("created", seconds_now()).member("model", model);
    ours.member_raw("usage", usage_text(*completion)).close_object();
    Writer json;
    write_filled(json, server, ours.text(), [&](Writer& out, std::string_view name, dom::element value) {
        dom::array choices;
        dom::object usage;
        if (name == "model") {
            out.member(name, model);
        } else if (name == "choices" && value.get(choices) == simdjson::SUCCESS) {
            write_choices(out.key(name), choices);
        } else if (name == "usage" && value.get(usage) == simdjson::SUCCESS) {
            write_filled(out.key(name), usage, usage_text(*completion));
        } else {
            return false;
        }
        return true;
    });
    return Reply{.body = json.take(), .usage = completion->usage.value_or(core::Usage{})};
}

}  // namespace sheaf::protocol
