#include "protocol/messages_stream.h"

#include <map>

#include "base/check.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"
#include "protocol/event_stream.h"
#include "protocol/ids.h"
#include "protocol/members.h"
#include "protocol/messages_reply.h"
#include "protocol/stop_reasons.h"
#include "protocol/usage_json.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;
using jsonl::Writer;

class MessagesReader final : public StreamReader {
public:
    Result<std::vector<Delta>> read(const dom::object& event) override;

private:
    void read_start(const dom::object& message, std::vector<Delta>& out);
    void read_block(std::uint64_t index, const dom::object& block, std::vector<Delta>& out);
    void read_block_delta(std::uint64_t index, const dom::object& delta, std::vector<Delta>& out);
    void end_block(std::uint64_t index, std::vector<Delta>& out);
    void read_usage(const dom::object& holder, std::vector<Delta>& out);

    core::Usage usage_;
    std::map<std::uint64_t, bool> calls_;  // by the block's index: whether its input has begun
};

Result<std::vector<Delta>> MessagesReader::read(const dom::object& event) {
    std::vector<Delta> out;
    const auto type = find_text(event, "type").value_or("");
    const auto index = find_count(event, "index").value_or(0);
    if (type == "message_start") {
        if (const auto message = find_object(event, "message")) read_start(*message, out);
    } else if (type == "content_block_start") {
        if (const auto block = find_object(event, "content_block")) read_block(index, *block, out);
    } else if (type == "content_block_delta") {
        if (const auto delta = find_object(event, "delta")) read_block_delta(index, *delta, out);
    } else if (type == "content_block_stop") {
        end_block(index, out);
    } else if (type == "message_delta") {
        read_usage(event, out);
        const auto delta = find_object(event, "delta");
        const auto word = delta ? find_text(*delta, "stop_reason") : std::nullopt;
        if (!word) return out;
        Stopped stopped{.reason = read_stop_reason(*word).value_or(StopReason::end)};
        if (const auto sequence = find_text(*delta, "stop_sequence"))
            stopped.sequence = std::string(*sequence);
        out.emplace_back(std::move(stopped));
    } else if (type == "message_stop") {
        out.emplace_back(Ended{});
    }
    return out;
}

void MessagesReader::read_start(const dom::object& message, std::vector<Delta>& out) {
    read_usage(message, out);
    out.emplace_back(Started{.id = std::string(find_text(message, "id").value_or("")),
                             .model = std::string(find_text(message, "model").value_or(""))});
}

// The counts are of the whole answer so far; what the last event leaves out, the first has told.
void MessagesReader::read_usage(const dom::object& holder, std::vector<Delta>& out) {
    const auto member = find_member(holder, "usage");
    const auto told = member ? read_messages_usage(*member) : std::nullopt;
    if (!told) return;
    if (told->input_tokens > 0) {
        usage_.input_tokens = told->input_tokens;
        usage_.cached_tokens = told->cached_tokens;
    }
    usage_.output_tokens = told->output_tokens;
    usage_.reasoning_tokens = told->reasoning_tokens;
    out.emplace_back(usage_);
}

void MessagesReader::read_block(std::uint64_t index, const dom::object& block, std::vector<Delta>& out) {
    const auto type = find_text(block, "type").value_or("");
    const auto text = [&](std::string_view name) { return std::string(find_text(block, name).value_or("")); };
    if (type == "text") {
        out.emplace_back(TextDelta{text("text")});
    } else if (type == "thinking") {
        out.emplace_back(ThinkingDelta{text("thinking")});
    } else if (type == "redacted_thinking") {
        out.emplace_back(RedactedThinking{text("data")});
    } else if (type == "tool_use") {
        out.emplace_back(CallStarted{.number = index, .id = text("id"), .name = text("name")});
        const auto input = find_object(block, "input");
        const bool has_begun = input && input->size() > 0;
        if (has_begun) out.emplace_back(CallDelta{.number = index, .arguments = json_text(*input)});
        calls_[index] = has_begun;
    }
}

void MessagesReader::read_block_delta(std::uint64_t index, const dom::object& delta,
                                      std::vector<Delta>& out) {
    const auto type = find_text(delta, "type").value_or("");
    const auto text = [&](std::string_view name) { return std::string(find_text(delta, name).value_or("")); };
    if (type == "text_delta") {
        out.emplace_back(TextDelta{text("text")});
    } else if (type == "thinking_delta") {
        out.emplace_back(ThinkingDelta{text("thinking")});
    } else if (type == "signature_delta") {
        out.emplace_back(ThinkingSigned{text("signature")});
    } else if (type == "input_json_delta") {
        const auto known = calls_.find(index);
        auto arguments = text("partial_json");
        if (known == calls_.end() || arguments.empty()) return;
        known->second = true;
        out.emplace_back(CallDelta{.number = index, .arguments = std::move(arguments)});
    }
}

void MessagesReader::end_block(std::uint64_t index, std::vector<Delta>& out) {
    const auto known = calls_.find(index);
    if (known == calls_.end()) return;
    // A call without arguments has no delta at all.
    if (!known->second) out.emplace_back(CallDelta{.number = index, .arguments = "{}"});
    out.emplace_back(CallEnded{index});
}

class MessagesWriter final : public StreamWriter {
public:
    MessagesWriter(std::string request, std::string model)
        : request_(std::move(request)), model_(std::move(model)), shows_thinking_(shows_thinking(request_)) {}

    void begin(Completion& answer) override;
    void open(const Part& part) override;
    void grow(const Part& part, std::string_view text, std::string_view logprobs) override;
    void close(const Part& part, PartEnd how) override;
    void end(const Completion& answer, std::string_view reply) override;
    Result<std::string> reply(const Completion& answer) override {
        return write_messages_reply(answer, request_, model_);
    }

private:
    bool is_hidden(const Part& part) const;
    // The beginning of an event about the block that is open.
    Writer begin_block_event(std::string_view type) const;
    void write_event(std::string_view type, Writer json);
    void write_delta(std::string_view type, std::string_view member, std::string_view text);

    std::string request_;
    std::string model_;
    bool shows_thinking_;
    std::size_t blocks_ = 0;  // that are whole
};

bool MessagesWriter::is_hidden(const Part& part) const {
    return !shows_thinking_ &&
           (std::holds_alternative<Thinking>(part) || std::holds_alternative<RedactedThinking>(part));
}

Writer MessagesWriter::begin_block_event(std::string_view type) const {
    Writer json;
    json.open_object().member("type", type).member("index", blocks_);
    return json;
}

void MessagesWriter::write_event(std::string_view type, Writer json) {
    json.close_object();
    append_event(out_, type, json.text());
}

void MessagesWriter::begin(Completion& answer) {
    answer.id = id_with_prefix("msg_", answer.id);
    Writer json;
    json.open_object().member("type", "message_start").key("message").open_object();
    json.member("id", answer.id).member("type", "message").member("role", "assistant");
    json.member("model", model_).key("content").open_array().close_array();
    json.member_null("stop_reason").member_null("stop_sequence").member_null("stop_details");
    json.member_null("container").member_null("diagnostics").key("usage");
    write_messages_usage(json, answer.usage.value_or(core::Usage()));
    json.close_object();
    write_event("message_start", std::move(json));
}

void MessagesWriter::open(const Part& part) {
    if (is_hidden(part)) return;
    auto json = begin_block_event("content_block_start");
    json.key("content_block").open_object();
    if (const auto* call = std::get_if<ToolCall>(&part)) {
        json.member("type", "tool_use").member("id", tool_call_id(call->id)).member("name", call->name);
        json.key("input").open_object().close_object();
        json.key("caller").open_object().member("type", "direct").close_object();
    } else if (std::holds_alternative<Thinking>(part)) {
        json.member("type", "thinking").member("thinking", "").member("signature", "");
    } else if (const auto* redacted = std::get_if<RedactedThinking>(&part)) {
        json.member("type", "redacted_thinking").member("data", redacted->data);
    } else {
        json.member("type", "text").member("text", "").member_null("citations");
    }
    json.close_object();
    write_event("content_block_start", std::move(json));
}

void MessagesWriter::write_delta(std::string_view type, std::string_view member, std::string_view text) {
    auto json = begin_block_event("content_block_delta");
    json.key("delta").open_object().member("type", type).member(member, text).close_object();
    write_event("content_block_delta", std::move(json));
}

void MessagesWriter::grow(const Part& part, std::string_view text, std::string_view /*logprobs*/) {
    if (is_hidden(part)) return;
    if (std::holds_alternative<ToolCall>(part))
        write_delta("input_json_delta", "partial_json", text);
    else if (std::holds_alternative<Thinking>(part))
        write_delta("thinking_delta", "thinking", text);
    else
        write_delta("text_delta", "text", text);
}

void MessagesWriter::close(const Part& part, PartEnd /*how*/) {
    if (is_hidden(part)) return;
    if (const auto* thinking = std::get_if<Thinking>(&part))
        write_delta("signature_delta", "signature",
                    thinking->signature.empty() ? kOwnSignature : thinking->signature);
    write_event("content_block_stop", begin_block_event("content_block_stop"));
    ++blocks_;
}

void MessagesWriter::end(const Completion& /*answer*/, std::string_view reply) {
    if (blocks_ == 0) {
        open(Text{});
        close(Text{}, PartEnd::whole);
    }
    const auto document = jsonl::Document::parse(reply);
    CHECK(document && document->root().is_object(), "the reply is our own");
    const dom::object message(document->root());
    const auto repeat = [&](Writer& json, std::string_view name) {
        const auto member = find_member(message, name);
        json.member_raw(name, member ? json_text(*member) : "null");
    };
    Writer json;
    json.open_object().member("type", "message_delta").key("delta").open_object();
    for (const std::string_view name : {"stop_reason", "stop_sequence", "stop_details", "container"})
        repeat(json, name);
    json.close_object();
    repeat(json, "usage");
    write_event("message_delta", std::move(json));
    Writer last;
    last.open_object().member("type", "message_stop");
    write_event("message_stop", std::move(last));
}

}  // namespace

std::unique_ptr<StreamReader> make_messages_stream_reader() {
    return std::make_unique<MessagesReader>();
}

std::unique_ptr<StreamWriter> make_messages_stream_writer(std::string request, std::string model) {
    return std::make_unique<MessagesWriter>(std::move(request), std::move(model));
}

}  // namespace sheaf::protocol
