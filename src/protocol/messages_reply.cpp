#include "protocol/messages_reply.h"

#include <algorithm>

#include "jsonl/document.h"
#include "jsonl/splitter.h"
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

constexpr std::string_view kIdPrefix = "msg_";
constexpr std::string_view kServiceTier = "standard";

template <class Wanted>
bool has(const Completion& completion) {
    return std::ranges::any_of(completion.parts,
                               [](const Part& part) { return std::holds_alternative<Wanted>(part); });
}

void read_block(const dom::object& block, std::vector<Part>& parts) {
    const auto text = [&](std::string_view name) { return std::string(find_text(block, name).value_or("")); };
    const auto type = find_text(block, "type").value_or("");
    if (type == "text") {
        parts.emplace_back(Text{text("text")});
    } else if (type == "thinking") {
        parts.emplace_back(Thinking{text("thinking"), text("signature")});
    } else if (type == "redacted_thinking") {
        parts.emplace_back(RedactedThinking{text("data")});
    } else if (type == "tool_use") {
        const auto input = find_object(block, "input");
        parts.emplace_back(
            ToolCall{.id = text("id"), .name = text("name"), .arguments = input ? json_text(*input) : "{}"});
    }
}

// What no server says of itself follows from what it said.
StopReason read_stop(const dom::object& reply, const Completion& completion) {
    const auto stop = read_stop_reason(find_text(reply, "stop_reason").value_or(""));
    if (stop) return *stop;
    return has<ToolCall>(completion) ? StopReason::tool_use : StopReason::end;
}

StopReason stop_of(const Completion& completion) {
    if (has<ToolCall>(completion)) return StopReason::tool_use;
    if (has<Refusal>(completion)) return StopReason::refusal;
    // Without the sequence nobody could tell.
    if (completion.stop == StopReason::stop_sequence && !completion.stop_sequence) return StopReason::end;
    return completion.stop;
}

void write_text_block(Writer& json, std::string_view text) {
    json.open_object().member("type", "text").member("text", text).member_null("citations").close_object();
}

// Writes the parts as blocks.
class BlockWriter {
public:
    BlockWriter(Writer& json, bool shows_thinking) : json_(json), shows_thinking_(shows_thinking) {}

    Result<> operator()(const Text& text) {
        if (!text.text.empty()) write_text(text.text);
        return {};
    }
    Result<> operator()(const Refusal& refusal) {
        write_text(refusal.text);
        return {};
    }
    Result<> operator()(const Thinking& thinking) {
        if (!shows_thinking_) return {};
        is_empty_ = false;
        json_.open_object().member("type", "thinking").member("thinking", thinking.text);
        json_.member("signature", thinking_signature(thinking)).close_object();
        return {};
    }
    Result<> operator()(const RedactedThinking& thinking) {
        if (!shows_thinking_) return {};
        is_empty_ = false;
        json_.open_object().member("type", "redacted_thinking").member("data", thinking.data).close_object();
        return {};
    }
    Result<> operator()(const ToolCall& call) {
        is_empty_ = false;
        const std::string arguments = call.arguments.empty() ? "{}" : call.arguments;
        const auto input = jsonl::Document::parse(arguments);
        if (!input || !input->root().is_object())
            return fail(ErrorCode::invalid, "The model server's answer calls a tool with no JSON object.");
        json_.open_object().member("type", "tool_use").member("id", tool_call_id(call.id));
        json_.member("name", call.name).member_raw("input", json_text(input->root()));
        json_.member_raw("caller", R"({"type":"direct"})").close_object();
        return {};
    }
    // No answer holds these.
    Result<> operator()(const Image& /*image*/) { return {}; }
    Result<> operator()(const ToolResult& /*result*/) { return {}; }

    // An answer that says nothing says it in an empty text.
    void finish() {
        if (is_empty_) write_text("");
    }

private:
    void write_text(std::string_view text) {
        is_empty_ = false;
        write_text_block(json_, text);
    }

    Writer& json_;
    bool shows_thinking_;
    bool is_empty_ = true;
};

std::string refusal_of(const Completion& completion) {
    std::string text;
    for (const auto& part : completion.parts)
        if (const auto* refusal = std::get_if<Refusal>(&part)) text += refusal->text;
    return text;
}

// What follows the content.
void write_end(Writer& json, const Completion& completion) {
    const StopReason stop = stop_of(completion);
    json.member("stop_reason", to_stop_reason(stop)).key("stop_sequence");
    if (stop == StopReason::stop_sequence)
        json.value(*completion.stop_sequence);
    else
        json.null();
    json.key("stop_details");
    if (stop == StopReason::refusal) {
        const auto explanation = refusal_of(completion);
        json.open_object().member("type", "refusal").member_null("category").key("explanation");
        if (explanation.empty())
            json.null();
        else
            json.value(explanation);
        json.close_object();
    } else {
        json.null();
    }
    json.member_null("container").member_null("diagnostics").key("usage");
    write_messages_usage(json, completion.usage.value_or(core::Usage{}));
}

void write_blocks(Writer& json, const dom::array& content) {
    json.open_array();
    for (const dom::element element : content) {
        dom::object block;
        if (element.get(block) != simdjson::SUCCESS) continue;
        const auto type = find_text(block, "type").value_or("");
        std::string ours = "{}";
        if (type == "text") ours = R"({"citations":null})";
        if (type == "tool_use") ours = R"({"input":{},"caller":{"type":"direct"}})";
        if (type == "thinking")
            ours = Writer().open_object().member("signature", kOwnSignature).close_object().take();
        write_filled(json, block, ours);
    }
    json.close_array();
}

void write_usage(Writer& json, const dom::object& usage, std::string_view ours) {
    write_filled(json, usage, ours, [](Writer& out, std::string_view name, dom::element /*value*/) {
        if (name != "service_tier") return false;
        out.member(name, kServiceTier);
        return true;
    });
}

}  // namespace

Result<Completion> read_messages_reply(const dom::object& reply) {
    if (!find_array(reply, "content"))
        return fail(ErrorCode::invalid, "The model server's answer has no content.");
    Completion out;
    out.id = find_text(reply, "id").value_or("");
    out.model = find_text(reply, "model").value_or("");
    for_each_object(reply, "content", [&](const dom::object& block) { read_block(block, out.parts); });
    out.stop = read_stop(reply, out);
    if (const auto sequence = find_text(reply, "stop_sequence")) out.stop_sequence = *sequence;
    if (const auto usage = find_member(reply, "usage")) out.usage = read_messages_usage(*usage);
    return out;
}

Result<Completion> read_messages_reply(std::string_view reply) {
    const auto document = parse_answer(reply);
    if (!document) return std::unexpected(document.error());
    return read_messages_reply(dom::object(document->root()));
}

std::string_view thinking_signature(const Thinking& thinking) {
    return thinking.signature.empty() ? kOwnSignature : std::string_view(thinking.signature);
}

bool shows_thinking(std::string_view request) {
    bool shows = false;
    const auto read =
        jsonl::for_each_member(request, [&](std::string_view key, std::string_view value) -> Result<> {
            if (key != "thinking") return {};
            const auto document = jsonl::Document::parse(value);
            dom::object thinking;
            if (!document || document->root().get(thinking) != simdjson::SUCCESS) return {};
            const auto type = find_text(thinking, "type");
            shows = (type == "enabled" || type == "adaptive" || type == "between_tools") &&
                    find_text(thinking, "display") != "omitted";
            return {};
        });
    return read && shows;
}

Result<std::string> write_messages_reply(const Completion& completion, std::string_view request,
                                         std::string_view model) {
    Writer json;
    json.open_object().member("id", id_with_prefix(kIdPrefix, completion.id)).member("type", "message");
    json.member("role", "assistant").member("model", model).key("content").open_array();
    BlockWriter blocks(json, shows_thinking(request));
    for (const auto& part : completion.parts)
        if (auto written = std::visit(blocks, part); !written) return std::unexpected(written.error());
    blocks.finish();
    json.close_array();
    write_end(json, completion);
    return json.close_object().take();
}

Result<Reply> complete_messages_reply(std::string_view reply, std::string_view model) {
    const auto document = parse_answer(reply);
    if (!document) return std::unexpected(document.error());
    const dom::object server(document->root());
    const auto completion = read_messages_reply(server);
    if (!completion) return std::unexpected(completion.error());

    const auto id = id_with_prefix(kIdPrefix, completion->id);
    Writer ours;
    ours.open_object().member("id", id).member("type", "message").member("role", "assistant");
    ours.member("model", model);
    write_end(ours, *completion);
    ours.close_object();
    Writer usage_json;
    write_messages_usage(usage_json, completion->usage.value_or(core::Usage{}));
    Writer json;
    write_filled(json, server, ours.text(), [&](Writer& out, std::string_view name, dom::element value) {
        dom::array content;
        dom::object usage;
        if (name == "id") {
            out.member(name, id);
        } else if (name == "model") {
            out.member(name, model);
        } else if (name == "content" && value.get(content) == simdjson::SUCCESS) {
            write_blocks(out.key(name), content);
        } else if (name == "usage" && value.get(usage) == simdjson::SUCCESS) {
            write_usage(out.key(name), usage, usage_json.text());
        } else {
            return false;
        }
        return true;
    });
    return Reply{.body = json.take(), .usage = completion->usage.value_or(core::Usage{})};
}

}  // namespace sheaf::protocol
