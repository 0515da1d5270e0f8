#include "jsonl/writer.h"
#include "protocol/event_stream.h"
#include "protocol/logprobs.h"
#include "protocol/responses_object.h"
#include "protocol/responses_stream.h"
#include "protocol/stop_reasons.h"

namespace sheaf::protocol {
namespace {

using jsonl::Writer;

class ResponsesWriter final : public StreamWriter {
public:
    ResponsesWriter(std::string request, std::string model)
        : request_(std::move(request)), model_(std::move(model)) {}

    void begin(Completion& answer) override;
    void open(const Part& part) override;
    void grow(const Part& part, std::string_view text, std::string_view logprobs) override;
    void close(const Part& part, PartEnd how) override;
    void end(const Completion& answer, std::string_view reply) override;
    Result<std::string> reply(const Completion& answer) override { return write_response(head_, answer); }

private:
    Writer begin_event(std::string_view type);
    // An event about the item, or about the part of it that is open.
    Writer begin_item_event(std::string_view type);
    Writer begin_part_event(std::string_view type);
    void write_event(std::string_view type, Writer json);
    void write_response_event(std::string_view type, std::string_view response);

    void open_item(const Part& first);
    void close_item(ItemStatus status);
    void close_message(ItemStatus status);
    void open_part(const Part& part);
    void close_part(const Part& part);
    void close_call(const ToolCall& call);

    std::string request_;
    std::string model_;
    ResponseHead head_;
    std::size_t sequence_ = 0;
    std::size_t item_index_ = 0;
    std::string item_id_;
    std::vector<Part> item_;  // the parts of the open item that are whole
    bool is_message_open_ = false;
    bool is_answered_ = false;  // by a message or a call
    std::string text_logprobs_;
    std::string item_logprobs_;
};

Writer ResponsesWriter::begin_event(std::string_view type) {
    Writer json;
    json.open_object().member("type", type).member("sequence_number", sequence_++);
    return json;
}

Writer ResponsesWriter::begin_item_event(std::string_view type) {
    auto json = begin_event(type);
    json.member("item_id", item_id_).member("output_index", item_index_);
    return json;
}

Writer ResponsesWriter::begin_part_event(std::string_view type) {
    auto json = begin_item_event(type);
    json.member("content_index", item_.size());
    return json;
}

void ResponsesWriter::write_event(std::string_view type, Writer json) {
    json.close_object();
    append_event(out_, type, json.text());
}

void ResponsesWriter::write_response_event(std::string_view type, std::string_view response) {
    auto json = begin_event(type);
    json.member_raw("response", response);
    write_event(type, std::move(json));
}

void ResponsesWriter::begin(Completion& answer) {
    head_ = make_response_head(answer.id, request_, model_);
    answer.id = head_.id;
    const auto response = write_response_in_progress(head_);
    write_response_event("response.created", response);
    write_response_event("response.in_progress", response);
}

void ResponsesWriter::open_item(const Part& first) {
    item_id_ = output_item_id(head_, first, item_index_);
    auto json = begin_event("response.output_item.added");
    json.member("output_index", item_index_).key("item");
    write_output_item(json, item_id_, {&first, 1}, ItemStatus::in_progress, {});
    write_event("response.output_item.added", std::move(json));
}

void ResponsesWriter::close_item(ItemStatus status) {
    auto json = begin_event("response.output_item.done");
    json.member("output_index", item_index_).key("item");
    write_output_item(json, item_id_, item_, status, item_logprobs_);
    write_event("response.output_item.done", std::move(json));
    item_.clear();
    item_logprobs_.clear();
    ++item_index_;
}

// A message goes on while texts and refusals follow each other.
void ResponsesWriter::close_message(ItemStatus status) {
    if (std::exchange(is_message_open_, false)) close_item(status);
}

void ResponsesWriter::open_part(const Part& part) {
    auto json = begin_part_event("response.content_part.added");
    json.key("part");
    if (std::holds_alternative<Thinking>(part))
        write_content_part(json, Thinking{}, {});
    else if (std::holds_alternative<Refusal>(part))
        write_content_part(json, Refusal{}, {});
    else
        write_content_part(json, Text{}, {});
    write_event("response.content_part.added", std::move(json));
}

void ResponsesWriter::close_part(const Part& part) {
    auto json = begin_part_event("response.content_part.done");
    json.key("part");
    write_content_part(json, part, text_logprobs_);
    write_event("response.content_part.done", std::move(json));
}

void ResponsesWriter::open(const Part& part) {
    const bool is_message = is_message_part(part);
    is_answered_ |= is_message || std::holds_alternative<ToolCall>(part);
    if (!is_message) close_message(ItemStatus::completed);
    if (!is_message_open_) open_item(part);
    is_message_open_ = is_message;
    if (is_message || std::holds_alternative<Thinking>(part)) open_part(part);
}

void ResponsesWriter::grow(const Part& part, std::string_view text, std::string_view logprobs) {
    if (const auto* call = std::get_if<ToolCall>(&part)) {
        const std::string_view type =
            call->custom ? "response.custom_tool_call_input.delta" : "response.function_call_arguments.delta";
        auto json = begin_item_event(type);
        json.member("delta", text);
        write_event(type, std::move(json));
        return;
    }
    const bool is_text = std::holds_alternative<Text>(part);
    const std::string_view type = is_text                                 ? "response.output_text.delta"
                                  : std::holds_alternative<Refusal>(part) ? "response.refusal.delta"
                                                                          : "response.reasoning_text.delta";
    auto json = begin_part_event(type);
    json.member("delta", text);
    if (is_text) {
        json.key("logprobs");
        write_responses_logprobs(json, logprobs);
        append_logprobs(text_logprobs_, logprobs);
    }
    write_event(type, std::move(json));
}

void ResponsesWriter::close_call(const ToolCall& call) {
    const std::string_view type =
        call.custom ? "response.custom_tool_call_input.done" : "response.function_call_arguments.done";
    auto json = begin_item_event(type);
    if (call.custom)
        json.member("input", call.arguments);
    else
        json.member("name", call.name).member("arguments", call.arguments);
    write_event(type, std::move(json));
}

void ResponsesWriter::close(const Part& part, PartEnd how) {
    if (const auto* call = std::get_if<ToolCall>(&part)) {
        close_call(*call);
    } else if (const auto* text = std::get_if<Text>(&part)) {
        auto json = begin_part_event("response.output_text.done");
        json.member("text", text->text).key("logprobs");
        write_responses_logprobs(json, text_logprobs_);
        write_event("response.output_text.done", std::move(json));
    } else if (const auto* refusal = std::get_if<Refusal>(&part)) {
        auto json = begin_part_event("response.refusal.done");
        json.member("refusal", refusal->text);
        write_event("response.refusal.done", std::move(json));
    } else if (const auto* thinking = std::get_if<Thinking>(&part)) {
        auto json = begin_part_event("response.reasoning_text.done");
        json.member("text", thinking->text);
        write_event("response.reasoning_text.done", std::move(json));
    }
    if (is_message_part(part) || std::holds_alternative<Thinking>(part)) close_part(part);
    append_logprobs(item_logprobs_, text_logprobs_);
    text_logprobs_.clear();
    item_.push_back(part);
    if (!is_message_open_) close_item(how == PartEnd::cut ? ItemStatus::incomplete : ItemStatus::completed);
}

void ResponsesWriter::end(const Completion& answer, std::string_view reply) {
    if (!is_answered_) {
        open(Text{});
        close(Text{}, PartEnd::whole);
    }
    const bool cut = is_cut_off(answer.stop);
    close_message(cut ? ItemStatus::incomplete : ItemStatus::completed);
    write_response_event(cut ? "response.incomplete" : "response.completed", reply);
}

}  // namespace

std::unique_ptr<StreamWriter> make_responses_stream_writer(std::string request, std::string model) {
    return std::make_unique<ResponsesWriter>(std::move(request), std::move(model));
}

}  // namespace sheaf::protocol
