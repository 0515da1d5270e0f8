#include "protocol/responses_object.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/clock.h"
#include "jsonl/document.h"
#include "protocol/ids.h"
#include "protocol/logprobs.h"
#include "protocol/members.h"
#include "protocol/stop_reasons.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;
using jsonl::Writer;

constexpr std::string_view kIdPrefix = "resp_";

std::int64_t seconds_now() {
    return std::chrono::floor<std::chrono::seconds>(SystemClock().now()).time_since_epoch().count();
}

bool is_call(const Part& part) {
    return std::holds_alternative<ToolCall>(part);
}

std::string_view word_of(ItemStatus status) {
    switch (status) {
        case ItemStatus::in_progress:
            return "in_progress";
        case ItemStatus::completed:
            return "completed";
        case ItemStatus::incomplete:
            return "incomplete";
    }
    return "";
}

// The members that repeat the request, or say what holds without it.
class Echo {
public:
    explicit Echo(std::string_view request) : document_(jsonl::Document::parse(request)) {
        dom::object body;
        if (document_ && document_->root().get(body) == simdjson::SUCCESS) body_ = body;
    }

    void write(Writer& json, std::string_view name, std::string_view otherwise) const {
        const auto member = body_ ? find_member(*body_, name) : std::nullopt;
        json.member_raw(name, member ? json_text(*member) : otherwise);
    }

    void write_text(Writer& json) const {
        const auto text = body_ ? find_object(*body_, "text") : std::nullopt;
        json.key("text").open_object();
        const auto format = text ? find_member(*text, "format") : std::nullopt;
        json.member_raw("format", format ? json_text(*format) : R"({"type":"text"})");
        if (const auto verbosity = text ? find_member(*text, "verbosity") : std::nullopt)
            json.member_raw("verbosity", json_text(*verbosity));
        json.close_object();
    }

    void write_reasoning(Writer& json) const {
        const auto reasoning = body_ ? find_object(*body_, "reasoning") : std::nullopt;
        const auto effort = reasoning ? find_member(*reasoning, "effort") : std::nullopt;
        json.key("reasoning").open_object();
        json.member_raw("effort", effort ? json_text(*effort) : "null").member_null("summary").close_object();
    }

private:
    Result<jsonl::Document> document_;
    std::optional<dom::object> body_;
};

// Writes the object around its output and usage; `completion` is null while the answer has not begun.
std::string write_object(const ResponseHead& head, const Completion* completion) {
    const Echo echo(head.request);
    const bool cut = completion != nullptr && is_cut_off(completion->stop);
    const std::string_view status = completion == nullptr ? "in_progress" : cut ? "incomplete" : "completed";
    Writer json;
    json.open_object().member("id", head.id).member("object", "response");
    json.member("created_at", head.created_at).member("status", status).member("background", false);
    json.key("completed_at");
    if (completion == nullptr || cut)
        json.null();
    else
        json.value(seconds_now());
    json.member_null("error").key("incomplete_details");
    if (cut) {
        const bool filtered = completion->stop == StopReason::refusal;
        json.open_object().member("reason", filtered ? "content_filter" : "max_output_tokens").close_object();
    } else {
        json.null();
    }
    echo.write(json, "instructions", "null");
    echo.write(json, "max_output_tokens", "null");
    echo.write(json, "max_tool_calls", "null");
    json.member("model", head.model).key("output").open_array();
    if (completion != nullptr) {
        const auto items = output_items(completion->parts);
        bool has_text = false;
        for (std::size_t index = 0; index < items.size(); ++index) {
            const auto& item = items[index];
            const bool is_last = index + 1 == items.size();
            const bool first_text = !has_text && is_message_part(item.front());
            has_text |= first_text;
            write_output_item(json, output_item_id(head, item.front(), index), item,
                              cut && is_last ? ItemStatus::incomplete : ItemStatus::completed,
                              first_text ? completion->logprobs : std::string_view());
        }
    }
    json.close_array();
    echo.write(json, "parallel_tool_calls", "true");
    echo.write(json, "previous_response_id", "null");
    echo.write_reasoning(json);
    json.member("service_tier", "default");
    echo.write(json, "store", "true");
    echo.write(json, "temperature", "1.0");
    echo.write_text(json);
    echo.write(json, "tool_choice", "\"auto\"");
    echo.write(json, "tools", "[]");
    echo.write(json, "top_logprobs", "0");
    echo.write(json, "top_p", "1.0");
    echo.write(json, "truncation", "\"disabled\"");
    json.key("usage");
    if (completion == nullptr)
        json.null();
    else
        write_responses_usage(json, completion->usage.value_or(core::Usage()));
    echo.write(json, "user", "null");
    echo.write(json, "metadata", "{}");
    json.close_object();
    return json.take();
}

struct ItemWriter {
    Writer& json;
    std::string_view id;
    OutputItem item;
    ItemStatus status;
    std::string_view logprobs;

    void operator()(const Thinking& thinking) const {
        json.open_object().member("type", "reasoning").member("id", id);
        json.key("summary").open_array().close_array().key("content").open_array();
        if (status != ItemStatus::in_progress) write_content_part(json, item.front(), {});
        json.close_array();
        if (!thinking.signature.empty()) json.member("encrypted_content", thinking.signature);
        json.close_object();
    }
    void operator()(const RedactedThinking& thinking) const {
        json.open_object().member("type", "reasoning").member("id", id);
        json.key("summary").open_array().close_array();
        json.member("encrypted_content", thinking.data).close_object();
    }
    void operator()(const ToolCall& call) const {
        json.open_object().member("type", call.custom ? "custom_tool_call" : "function_call");
        json.member("id", id).member("call_id", call.id).member("name", call.name);
        json.member(call.custom ? "input" : "arguments",
                    status == ItemStatus::in_progress ? std::string_view() : call.arguments);
        json.member("status", word_of(status)).close_object();
    }
    void operator()(const auto& /*message part*/) const {
        json.open_object().member("type", "message").member("id", id).member("role", "assistant");
        json.member("status", word_of(status)).key("content").open_array();
        std::string_view entries = logprobs;
        for (const auto& part : status == ItemStatus::in_progress ? OutputItem() : item) {
            write_content_part(json, part, entries);
            entries = {};
        }
        json.close_array().close_object();
    }
};

const Part kEmptyText = Text{};

}  // namespace

ResponseHead make_response_head(std::string_view server_id, std::string_view request,
                                std::string_view model) {
    return {.id = id_with_prefix(kIdPrefix, server_id),
            .created_at = seconds_now(),
            .model = model,
            .request = request};
}

bool is_message_part(const Part& part) {
    return std::holds_alternative<Text>(part) || std::holds_alternative<Refusal>(part);
}

std::vector<OutputItem> output_items(std::span<const Part> parts) {
    std::vector<OutputItem> items;
    bool is_answered = false;
    while (!parts.empty()) {
        std::size_t count = 1;
        if (is_message_part(parts.front()))
            while (count < parts.size() && is_message_part(parts[count])) ++count;
        is_answered |= is_message_part(parts.front()) || is_call(parts.front());
        items.push_back(parts.first(count));
        parts = parts.subspan(count);
    }
    if (!is_answered) items.emplace_back(&kEmptyText, 1);
    return items;
}

std::string output_item_id(const ResponseHead& head, const Part& first, std::size_t index) {
    const auto* call = std::get_if<ToolCall>(&first);
    const std::string_view prefix = is_message_part(first) ? "msg_"
                                    : call == nullptr      ? "rs_"
                                    : call->custom         ? "ctc_"
                                                           : "fc_";
    return std::string(prefix) + output_item_suffix(head, index);
}

std::string output_item_suffix(const ResponseHead& head, std::size_t index) {
    return fmt::format("{}{:02x}", std::string_view(head.id).substr(kIdPrefix.size()), index);
}

void write_output_item(Writer& json, std::string_view id, OutputItem item, ItemStatus status,
                       std::string_view logprobs) {
    std::visit(ItemWriter{json, id, item, status, logprobs}, item.front());
}

void write_content_part(Writer& json, const Part& part, std::string_view logprobs) {
    json.open_object();
    if (const auto* text = std::get_if<Text>(&part)) {
        json.member("type", "output_text").member("text", text->text);
        json.key("annotations").open_array().close_array().key("logprobs");
        write_responses_logprobs(json, logprobs);
    } else if (const auto* refusal = std::get_if<Refusal>(&part)) {
        json.member("type", "refusal").member("refusal", refusal->text);
    } else if (const auto* thinking = std::get_if<Thinking>(&part)) {
        json.member("type", "reasoning_text").member("text", thinking->text);
    }
    json.close_object();
}

void write_responses_usage(Writer& json, const core::Usage& usage) {
    json.open_object().member("input_tokens", usage.input_tokens).key("input_tokens_details").open_object();
    json.member("cached_tokens", usage.cached_tokens).member("cache_write_tokens", 0).close_object();
    json.member("output_tokens", usage.output_tokens).key("output_tokens_details").open_object();
    json.member("reasoning_tokens", usage.reasoning_tokens).close_object();
    json.member("total_tokens", usage.input_tokens + usage.output_tokens).close_object();
}

std::string write_response(const ResponseHead& head, const Completion& completion) {
    return write_object(head, &completion);
}

std::string write_response_in_progress(const ResponseHead& head) {
    return write_object(head, nullptr);
}

}  // namespace sheaf::protocol
