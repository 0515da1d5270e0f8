#include "protocol/responses_reply.h"

#include <fmt/format.h>

#include "jsonl/document.h"
#include "jsonl/writer.h"
#include "protocol/logprobs.h"
#include "protocol/members.h"
#include "protocol/responses_object.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;
using jsonl::Writer;

Result<jsonl::Document> parse_reply(std::string_view reply) {
    auto document = jsonl::Document::parse(reply);
    if (!document) return fail(ErrorCode::invalid, "The model server's answer is not JSON.");
    if (!document->root().is_object())
        return fail(ErrorCode::invalid, "The model server's answer is not an object.");
    return document;
}

std::string texts_of(const dom::object& item, std::string_view name) {
    std::string text;
    for_each_object(item, name, [&](const dom::object& part) {
        if (!text.empty()) text += "\n\n";
        text += find_text(part, "text").value_or("");
    });
    return text;
}

void read_reasoning(const dom::object& item, Completion& out) {
    auto text = texts_of(item, "content");
    if (text.empty()) text = texts_of(item, "summary");
    std::string sealed(find_text(item, "encrypted_content").value_or(""));
    if (!text.empty())
        out.parts.emplace_back(Thinking{std::move(text), std::move(sealed)});
    else if (!sealed.empty())
        out.parts.emplace_back(RedactedThinking{std::move(sealed)});
}

void read_message(const dom::object& item, Completion& out) {
    for_each_object(item, "content", [&](const dom::object& part) {
        if (find_text(part, "type") == "refusal") {
            out.parts.emplace_back(Refusal{std::string(find_text(part, "refusal").value_or(""))});
            return;
        }
        if (const auto text = find_text(part, "text")) out.parts.emplace_back(Text{std::string(*text)});
        if (const auto entries = find_array(part, "logprobs"))
            append_logprobs(out.logprobs, json_text(*entries));
    });
}

void read_call(const dom::object& item, bool custom, Completion& out) {
    const auto text = [&](std::string_view name) { return std::string(find_text(item, name).value_or("")); };
    out.parts.emplace_back(ToolCall{.id = text("call_id"),
                                    .name = text("name"),
                                    .arguments = text(custom ? "input" : "arguments"),
                                    .custom = custom});
}

void read_item(const dom::object& item, Completion& out) {
    const auto type = find_text(item, "type").value_or("");
    if (type == "message")
        read_message(item, out);
    else if (type == "reasoning")
        read_reasoning(item, out);
    else if (type == "function_call" || type == "custom_tool_call")
        read_call(item, type == "custom_tool_call", out);
}

StopReason read_stop(const dom::object& reply, const Completion& completion) {
    if (find_text(reply, "status") == "incomplete") {
        const auto details = find_object(reply, "incomplete_details");
        return details && find_text(*details, "reason") == "content_filter" ? StopReason::refusal
                                                                            : StopReason::length;
    }
    for (const auto& part : completion.parts)
        if (std::holds_alternative<ToolCall>(part)) return StopReason::tool_use;
    return StopReason::end;
}

std::optional<core::Usage> read_usage(const dom::object& reply) {
    const auto usage = find_object(reply, "usage");
    if (!usage) return std::nullopt;
    const auto detail = [&](std::string_view object, std::string_view name) {
        const auto details = find_object(*usage, object);
        return details ? find_count(*details, name).value_or(0) : 0;
    };
    return core::Usage{.input_tokens = find_count(*usage, "input_tokens").value_or(0),
                       .output_tokens = find_count(*usage, "output_tokens").value_or(0),
                       .cached_tokens = detail("input_tokens_details", "cached_tokens"),
                       .reasoning_tokens = detail("output_tokens_details", "reasoning_tokens")};
}

// Writes the members of `server`, and of `ours` those it lacks.
void write_filled(Writer& json, const dom::object& server, const dom::object& ours) {
    json.open_object();
    for (const auto& [name, value] : server) {
        const auto own = find_member(ours, name);
        json.member_raw(name, json_text(value.is_null() && own ? *own : value));
    }
    for (const auto& [name, value] : ours) {
        dom::element sent;
        if (server.at_key(name).get(sent) != simdjson::SUCCESS) json.member_raw(name, json_text(value));
    }
    json.close_object();
}

std::string filled(const dom::object& server, std::string_view ours) {
    const auto document = jsonl::Document::parse(ours);
    Writer json;
    write_filled(json, server, dom::object(document->root()));
    return json.take();
}

std::string filled_content(const dom::array& content) {
    Writer json;
    json.open_array();
    for (const dom::element element : content) {
        dom::object part;
        if (element.get(part) == simdjson::SUCCESS && find_text(part, "type") == "output_text")
            json.raw(filled(part, R"({"annotations":[],"logprobs":[]})"));
        else
            json.raw(json_text(element));
    }
    json.close_array();
    return json.take();
}

std::string filled_item(const dom::object& item, const std::string& suffix) {
    const auto type = find_text(item, "type").value_or("");
    if (type == "reasoning") return filled(item, fmt::format(R"({{"id":"rs_{}","summary":[]}})", suffix));
    if (type == "function_call")
        return filled(item, fmt::format(R"({{"id":"fc_{}","status":"completed"}})", suffix));
    if (type != "message") return json_text(item);
    Writer json;
    json.open_object();
    for (const auto& [name, value] : item) {
        dom::array content;
        const bool is_content = name == "content" && value.get(content) == simdjson::SUCCESS;
        json.member_raw(name, is_content ? filled_content(content) : json_text(value));
    }
    json.close_object();
    const auto whole = json.take();
    const auto document = jsonl::Document::parse(whole);
    return filled(dom::object(document->root()),
                  fmt::format(R"({{"id":"msg_{}","role":"assistant","status":"completed"}})", suffix));
}

std::string filled_output(const dom::array& output, const ResponseHead& head) {
    Writer json;
    json.open_array();
    std::size_t index = 0;
    for (const dom::element element : output) {
        dom::object item;
        json.raw(element.get(item) == simdjson::SUCCESS ? filled_item(item, output_item_suffix(head, index))
                                                        : json_text(element));
        ++index;
    }
    json.close_array();
    return json.take();
}

std::string filled_usage(const dom::object& server, const dom::object& ours) {
    Writer json;
    json.open_object();
    for (const auto& [name, value] : ours) {
        const auto details = find_object(ours, name);
        const auto sent_details = find_object(server, name);
        const auto sent = find_member(server, name);
        json.key(name);
        if (details && sent_details)
            write_filled(json, *sent_details, *details);
        else
            json.raw(json_text(sent && !details ? *sent : value));
    }
    for (const auto& [name, value] : server) {
        dom::element own;
        if (ours.at_key(name).get(own) != simdjson::SUCCESS) json.member_raw(name, json_text(value));
    }
    json.close_object();
    return json.take();
}

}  // namespace

Result<Completion> read_responses_reply(const dom::object& reply) {
    if (const auto error = find_object(reply, "error"))
        return fail(ErrorCode::invalid, fmt::format("The model server reported: {}",
                                                    find_text(*error, "message").value_or("an error")));
    if (!find_array(reply, "output"))
        return fail(ErrorCode::invalid, "The model server's answer has no output.");
    const auto status = find_text(reply, "status").value_or("completed");
    if (status != "completed" && status != "incomplete")
        return fail(ErrorCode::invalid, fmt::format("The model server's answer is \"{}\".", status));
    Completion out;
    out.id = find_text(reply, "id").value_or("");
    out.model = find_text(reply, "model").value_or("");
    for_each_object(reply, "output", [&](const dom::object& item) { read_item(item, out); });
    out.stop = read_stop(reply, out);
    out.usage = read_usage(reply);
    return out;
}

Result<Completion> read_responses_reply(std::string_view reply) {
    const auto document = parse_reply(reply);
    if (!document) return std::unexpected(document.error());
    return read_responses_reply(dom::object(document->root()));
}

std::string write_responses_reply(const Completion& completion, std::string_view request,
                                  std::string_view model) {
    return write_response(make_response_head(completion.id, request, model), completion);
}

Result<Reply> complete_responses_reply(std::string_view reply, std::string_view request,
                                       std::string_view model) {
    const auto document = parse_reply(reply);
    if (!document) return std::unexpected(document.error());
    const dom::object server(document->root());
    const auto completion = read_responses_reply(server);
    if (!completion) return std::unexpected(completion.error());

    const auto head = make_response_head(completion->id, request, model);
    const auto whole = jsonl::Document::parse(write_response(head, *completion));
    const dom::object ours(whole->root());
    Writer json;
    json.open_object();
    for (const auto& [name, value] : server) {
        json.key(name);
        if (name == "model") {
            json.value(model);
        } else if (name == "output") {
            json.raw(filled_output(dom::array(value), head));
        } else if (const auto own = find_member(ours, name); own && value.is_null()) {
            json.raw(json_text(*own));
        } else if (name == "usage" && value.is_object()) {
            json.raw(filled_usage(dom::object(value), dom::object(*own)));
        } else {
            json.raw(json_text(value));
        }
    }
    for (const auto& [name, value] : ours) {
        dom::element sent;
        if (server.at_key(name).get(sent) != simdjson::SUCCESS) json.member_raw(name, json_text(value));
    }
    json.close_object();
    return Reply{.body = json.take(), .usage = completion->usage.value_or(core::Usage())};
}

}  // namespace sheaf::protocol
