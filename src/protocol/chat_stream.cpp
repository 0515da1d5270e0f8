#include "protocol/chat_stream.h"

#include <chrono>
#include <map>

#include <fmt/format.h>

#include "base/clock.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"
#include "protocol/chat_reply.h"
#include "protocol/event_stream.h"
#include "protocol/ids.h"
#include "protocol/members.h"
#include "protocol/stop_reasons.h"
#include "protocol/usage_json.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;
using jsonl::Writer;

// Finds the end of a JSON object that comes in pieces: this protocol does not tell when a call's arguments
// are whole.
class ObjectEnd {
public:
    // Whether the object is whole.
    bool feed(std::string_view json) {
        for (const char c : json) {
            if (in_string_)
                take_in_string(c);
            else if (c == '"')
                in_string_ = true;
            else if (c == '{' || c == '[')
                ++depth_;
            else if ((c == '}' || c == ']') && --depth_ <= 0)
                is_whole_ = true;
        }
        return is_whole_;
    }

private:
    void take_in_string(char c) {
        if (std::exchange(is_escaped_, false)) return;
        is_escaped_ = c == '\\';
        in_string_ = c != '"';
    }

    int depth_ = 0;
    bool in_string_ = false;
    bool is_escaped_ = false;
    bool is_whole_ = false;
};

// A string, or the texts of an array of parts.
std::string text_of(const dom::object& object, std::string_view name) {
    std::string text(find_text(object, name).value_or(""));
    for_each_object(object, name,
                    [&](const dom::object& part) { text += find_text(part, "text").value_or(""); });
    return text;
}

// A string; some servers write the object itself.
std::string arguments_of(const dom::object& body, std::string_view name) {
    const auto object = find_object(body, name);
    return object ? json_text(*object) : std::string(find_text(body, name).value_or(""));
}

class ChatReader final : public StreamReader {
public:
    Result<std::vector<Delta>> read(const dom::object& chunk) override;

private:
    void read_delta(const dom::object& delta, std::string logprobs, std::vector<Delta>& out);
    void read_call(const dom::object& piece, std::vector<Delta>& out);

    struct Call {
        std::size_t number = 0;
        std::string id;
        bool custom = false;
        ObjectEnd end = {};
    };
    bool has_started_ = false;
    std::map<std::uint64_t, Call> calls_;  // by the server's index, the newest of each
    std::size_t call_count_ = 0;
    std::uint64_t last_index_ = 0;
};

// The text that stopped the answer, which vLLM and SGLang tell.
std::optional<std::string> stop_sequence_of(const dom::object& choice) {
    for (const std::string_view name : {"stop_reason", "matched_stop"})
        if (const auto text = find_text(choice, name)) return std::string(*text);
    return std::nullopt;
}

Result<std::vector<Delta>> ChatReader::read(const dom::object& chunk) {
    std::vector<Delta> out;
    if (!std::exchange(has_started_, true))
        out.emplace_back(Started{.id = std::string(find_text(chunk, "id").value_or("")),
                                 .model = std::string(find_text(chunk, "model").value_or(""))});
    if (const auto member = find_member(chunk, "usage"))
        if (const auto usage = read_chat_usage(*member)) out.emplace_back(*usage);
    std::optional<dom::object> choice;
    for_each_object(chunk, "choices", [&](const dom::object& one) {
        if (find_count(one, "index").value_or(0) == 0) choice = one;
    });
    if (!choice) return out;
    std::string logprobs;
    if (const auto told = find_object(*choice, "logprobs"))
        if (const auto entries = find_array(*told, "content")) logprobs = json_text(*entries);
    if (const auto delta = find_object(*choice, "delta")) read_delta(*delta, std::move(logprobs), out);
    const auto finish = find_text(*choice, "finish_reason").value_or("");
    if (finish.empty()) return out;
    auto stop = read_finish_reason(finish);
    if (!stop)
        return fail(ErrorCode::invalid,
                    fmt::format("The model server's answer ended with \"{}\".", finish.substr(0, 64)));
    auto sequence = stop_sequence_of(*choice);
    if (stop == StopReason::end && sequence) stop = StopReason::stop_sequence;
    out.emplace_back(Stopped{.reason = *stop, .sequence = std::move(sequence)});
    return out;
}

void ChatReader::read_delta(const dom::object& delta, std::string logprobs, std::vector<Delta>& out) {
    // SGLang and llama-server call it the first, vLLM the second.
    auto thought = text_of(delta, "reasoning_content");
    if (thought.empty()) thought = text_of(delta, "reasoning");
    if (!thought.empty()) out.emplace_back(ThinkingDelta{std::move(thought)});
    auto text = text_of(delta, "content");
    if (!text.empty() || !logprobs.empty())
        out.emplace_back(TextDelta{.text = std::move(text), .logprobs = std::move(logprobs)});
    if (auto refusal = text_of(delta, "refusal"); !refusal.empty())
        out.emplace_back(RefusalDelta{std::move(refusal)});
    for_each_object(delta, "tool_calls", [&](const dom::object& piece) { read_call(piece, out); });
}

void ChatReader::read_call(const dom::object& piece, std::vector<Delta>& out) {
    const std::string id(find_text(piece, "id").value_or(""));
    // Some servers leave the index out, or give each whole call the index 0.
    const auto index = find_count(piece, "index").value_or(id.empty() ? last_index_ : call_count_);
    last_index_ = index;
    const bool custom = find_object(piece, "custom").has_value();
    const auto body = find_object(piece, custom ? "custom" : "function");
    auto known = calls_.find(index);
    if (known == calls_.end() || (!id.empty() && id != known->second.id)) {
        Call call{.number = call_count_++, .id = id.empty() ? make_id("call_") : id, .custom = custom};
        out.emplace_back(CallStarted{.number = call.number,
                                     .id = call.id,
                                     .name = std::string(body ? find_text(*body, "name").value_or("") : ""),
                                     .custom = custom});
        known = calls_.insert_or_assign(index, std::move(call)).first;
    }
    auto& call = known->second;
    const auto arguments = body ? arguments_of(*body, call.custom ? "input" : "arguments") : std::string();
    if (arguments.empty()) return;
    out.emplace_back(CallDelta{.number = call.number, .arguments = arguments});
    if (!call.custom && call.end.feed(arguments)) out.emplace_back(CallEnded{call.number});
}

class ChatWriter final : public StreamWriter {
public:
    ChatWriter(std::string model, bool wants_usage) : model_(std::move(model)), wants_usage_(wants_usage) {}

    void begin(Completion& answer) override;
    void open(const Part& part) override;
    void grow(const Part& part, std::string_view text, std::string_view logprobs) override;
    void close(const Part& /*part*/, PartEnd /*how*/) override {}
    void end(const Completion& answer, std::string_view reply) override;
    Result<std::string> reply(const Completion& answer) override { return write_chat_reply(answer, model_); }

private:
    Writer begin_chunk() const;
    void write_choice(std::string_view delta, std::string_view logprobs, std::string_view finish);
    void write_chunk(Writer json);

    std::string model_;
    bool wants_usage_;
    std::string id_;
    std::int64_t created_ = 0;
    std::size_t calls_ = 0;
};

Writer ChatWriter::begin_chunk() const {
    Writer json;
    json.open_object().member("id", id_).member("object", "chat.completion.chunk");
    json.member("created", created_).member("model", model_).key("choices").open_array();
    return json;
}

void ChatWriter::write_chunk(Writer json) {
    json.close_object();
    append_event(out_, "", json.text());
}

// The chunk's only choice; `finish` is empty until the end.
void ChatWriter::write_choice(std::string_view delta, std::string_view logprobs, std::string_view finish) {
    auto json = begin_chunk();
    json.open_object().member("index", 0).member_raw("delta", delta).key("logprobs");
    if (logprobs.empty())
        json.null();
    else
        json.open_object().member_raw("content", logprobs).member_null("refusal").close_object();
    if (finish.empty())
        json.member_null("finish_reason");
    else
        json.member("finish_reason", finish);
    json.close_object().close_array();
    if (wants_usage_) json.member_null("usage");
    write_chunk(std::move(json));
}

void ChatWriter::begin(Completion& answer) {
    answer.id = id_with_prefix("chatcmpl-", answer.id);
    id_ = answer.id;
    created_ = std::chrono::floor<std::chrono::seconds>(SystemClock().now()).time_since_epoch().count();
    write_choice(R"({"role":"assistant","content":"","refusal":null})", {}, {});
}

void ChatWriter::open(const Part& part) {
    const auto* call = std::get_if<ToolCall>(&part);
    if (call == nullptr) return;
    const std::string_view type = call->custom ? "custom" : "function";
    Writer json;
    json.open_object().key("tool_calls").open_array().open_object().member("index", calls_++);
    json.member("id", call->id).member("type", type).key(type).open_object().member("name", call->name);
    json.member(call->custom ? "input" : "arguments", "").close_object();
    json.close_object().close_array().close_object();
    write_choice(json.text(), {}, {});
}

void ChatWriter::grow(const Part& part, std::string_view text, std::string_view logprobs) {
    Writer json;
    json.open_object();
    if (const auto* call = std::get_if<ToolCall>(&part)) {
        json.key("tool_calls").open_array().open_object().member("index", calls_ - 1);
        json.key(call->custom ? "custom" : "function").open_object();
        json.member(call->custom ? "input" : "arguments", text).close_object().close_object().close_array();
    } else if (std::holds_alternative<Thinking>(part)) {
        json.member("reasoning_content", text);
    } else {
        json.member(std::holds_alternative<Refusal>(part) ? "refusal" : "content", text);
    }
    json.close_object();
    write_choice(json.text(), logprobs, {});
}

void ChatWriter::end(const Completion& answer, std::string_view /*reply*/) {
    write_choice("{}", {}, to_finish_reason(answer.stop));
    if (wants_usage_) {
        auto json = begin_chunk();
        json.close_array().key("usage");
        write_chat_usage(json, answer.usage.value_or(core::Usage()));
        write_chunk(std::move(json));
    }
    append_event(out_, "", "[DONE]");
}

}  // namespace

std::unique_ptr<StreamReader> make_chat_stream_reader() {
    return std::make_unique<ChatReader>();
}

bool wants_usage_chunk(std::string_view request) {
    const auto document = jsonl::Document::parse(request);
    dom::object body;
    if (!document || document->root().get(body) != simdjson::SUCCESS) return false;
    const auto options = find_object(body, "stream_options");
    const auto wanted = options ? find_member(*options, "include_usage") : std::nullopt;
    return wanted && wanted->is_bool() && bool(*wanted);
}

std::unique_ptr<StreamWriter> make_chat_stream_writer(std::string_view request, std::string model) {
    return std::make_unique<ChatWriter>(std::move(model), wants_usage_chunk(request));
}

}  // namespace sheaf::protocol
