#include "protocol/responses_reply.h"

#include <fmt/format.h>

#include "jsonl/writer.h"
#include "protocol/logprobs.h"
#include "protocol/members.h"
#include "protocol/reply_json.h"
#include "protocol/responses_object.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;
using jsonl::Writer;

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

void write_content(Writer& json, const dom::array& content) {
    json.open_array();
    for (const dom::element element : content) {
        dom::object part;
        if (element.get(part) != simdjson::SUCCESS) continue;
        const bool is_text = find_text(part, "type") == "output_text";
        write_filled(json, part, is_text ? R"({"annotations":[],"logprobs":[]})" : "{}");
    }
    json.close_array();
}

// What an item of the type may lack, `suffix` being the end of its id.
std::string filling_of(std::string_view type, const std::string& suffix) {
    if (type == "message")
        return fmt::format(R"({{"id":"msg_{}","role":"assistant","status":"completed"}})", suffix);
    if (type == "function_call") return fmt::format(R"({{"id":"fc_{}","status":"completed"}})", suffix);
    if (type == "reasoning") return fmt::format(R"({{"id":"rs_{}","summary":[]}})", suffix);
    return "{}";
}

void write_output(Writer& json, const dom::array& output, const ResponseHead& head) {
    json.open_array();
    std::size_t index = 0;
    for (const dom::element element : output) {
        const auto suffix = output_item_suffix(head, index++);
        dom::object item;
        if (element.get(item) != simdjson::SUCCESS) continue;
        const auto type = find_text(item, "type").value_or("");
        write_filled(
            json, item, filling_of(type, suffix),
            [&](Writer& out, std::string_view name, dom::element value) {
                dom::array content;
                if (type != "message" || name != "content" || value.get(content) != simdjson::SUCCESS)
                    return false;
                write_content(out.key(name), content);
                return true;
            });
    }
    json.close_array();
}

void write_usage(Writer& json, const dom::object& usage, const core::Usage& counted) {
    Writer ours;
    write_responses_usage(ours, counted);
    write_filled(json, usage, ours.text(), [](Writer& out, std::string_view name, dom::element value) {
        dom::object details;
        if (value.get(details) != simdjson::SUCCESS) return false;
        const bool of_input = name == "input_tokens_details";
        write_filled(
            out.key(name), details,
            of_input ? R"({"cached_tokens":0,"cache_write_tokens":0})" : R"({"reasoning_tokens":0})");
        return true;
    });
}

}  // namespace

void read_responses_item(const dom::object& item, Completion& completion) {
    const auto type = find_text(item, "type").value_or("");
    if (type == "message")
        read_message(item, completion);
    else if (type == "reasoning")
        read_reasoning(item, completion);
    else if (type == "function_call" || type == "custom_tool_call")
        read_call(item, type == "custom_tool_call", completion);
}

Result<Completion> read_responses_reply(const dom::object& reply) {
    if (!find_array(reply, "output"))
        return fail(ErrorCode::invalid, "The model server's answer has no output.");
    const auto status = find_text(reply, "status").value_or("completed");
    if (status != "completed" && status != "incomplete")
        return fail(ErrorCode::invalid, fmt::format("The model server's answer is \"{}\".", status));
    Completion out;
    out.id = find_text(reply, "id").value_or("");
    out.model = find_text(reply, "model").value_or("");
    for_each_object(reply, "output", [&](const dom::object& item) { read_responses_item(item, out); });
    out.stop = read_stop(reply, out);
    out.usage = read_usage(reply);
    return out;
}

Result<Completion> read_responses_reply(std::string_view reply) {
    const auto document = parse_answer(reply);
    if (!document) return std::unexpected(document.error());
    return read_responses_reply(dom::object(document->root()));
}

std::string write_responses_reply(const Completion& completion, std::string_view request,
                                  std::string_view model) {
    return write_response(make_response_head(completion.id, request, model), completion);
}

Result<Reply> complete_responses_reply(std::string_view reply, std::string_view request,
                                       std::string_view model) {
    const auto document = parse_answer(reply);
    if (!document) return std::unexpected(document.error());
    const dom::object server(document->root());
    const auto completion = read_responses_reply(server);
    if (!completion) return std::unexpected(completion.error());

    const auto head = make_response_head(completion->id, request, model);
    const auto usage = completion->usage.value_or(core::Usage());
    Writer json;
    write_filled(json, server, write_response(head, *completion),
                 [&](Writer& out, std::string_view name, dom::element value) {
                     dom::array output;
                     dom::object counts;
                     if (name == "model") {
                         out.member(name, model);
                     } else if (name == "output" && value.get(output) == simdjson::SUCCESS) {
                         write_output(out.key(name), output, head);
                     } else if (name == "usage" && value.get(counts) == simdjson::SUCCESS) {
                         write_usage(out.key(name), counts, usage);
                     } else {
                         return false;
                     }
                     return true;
                 });
    return Reply{.body = json.take(), .usage = usage};
}

}  // namespace sheaf::protocol
