#include "dialect/twelvelabs/task_json.h"

#include "dialect/twelvelabs/reader.h"
#include "dialect/twelvelabs/words.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::string_view kAssetSubject = "asset:";
constexpr std::string_view kUrlSubject = "url:";

void write_video_source(jsonl::Writer& json, const TaskView& view) {
    const std::string_view subject = view.item->subject.text;
    json.key("video_source").open_object();
    if (subject.starts_with(kAssetSubject)) {
        json.member("type", "asset_id").member("asset_id", subject.substr(kAssetSubject.size()));
    } else if (subject.starts_with(kUrlSubject)) {
        json.member("type", "url").member("url", subject.substr(kUrlSubject.size()));
    } else {
        json.member("type", "base64_string");
    }
    if (view.video_seconds) {
        json.key("system_metadata").open_object().member("duration", *view.video_seconds).close_object();
    }
    json.close_object();
}

void write_error(jsonl::Writer& json, std::string_view message) {
    json.key("error").open_object().member("message", message).close_object();
}

std::string_view message_in(dom::element line) {
    std::string_view message;
    if (line["error"]["message"].get(message) != simdjson::SUCCESS) return "The analysis failed.";
    return message;
}

// Result and error come back from the results line, which is all that is kept of them.
void write_ending(jsonl::Writer& json, const TaskView& view) {
    const auto document = jsonl::Document::parse(view.line.value_or("{}"));
    if (!document || !document->root().is_object()) return;
    const dom::element root = document->root();
    if (view.item->state == core::ItemState::failed) return write_error(json, message_in(root));
    dom::element data;
    if (!view.with_result || root["data"].get(data) != simdjson::SUCCESS) return;
    json.member_raw("result", simdjson::to_string(data));
    std::string_view finish;
    std::uint64_t output_tokens = 0;
    if (data["finish_reason"].get(finish) != simdjson::SUCCESS || finish != "length") return;
    if (data["usage"]["output_tokens"].get(output_tokens) != simdjson::SUCCESS) output_tokens = 0;
    write_error(json, truncation_message(output_tokens, view.max_tokens));
}

}  // namespace

void write_task(jsonl::Writer& json, const TaskView& view) {
    const core::ItemHead& item = *view.item;
    json.open_object().member("task_id", to_string(item.id));
    if (item.custom_id)
        json.member("custom_id", *item.custom_id);
    else
        json.member_null("custom_id");
    if (view.batch->kind == core::BatchKind::batch) json.member("batch_id", to_string(view.batch->id));
    json.member("model_name", view.batch->model).member("status", item_status(item.state));
    json.member("created_at", to_rfc3339(view.batch->created_at));
    if (core::is_terminal(item.state) && item.finished_at)
        json.member("completed_at", to_rfc3339(*item.finished_at));
    write_video_source(json, view);
    json.member_raw("request_params", view.request_params);
    if (core::has_result(item.state)) write_ending(json, view);
    write_tellings(json, view.tellings);
    json.close_object();
}

std::string_view truncation_message(std::uint64_t output_tokens, std::uint32_t max_tokens) {
    if (max_tokens != 0 && output_tokens < max_tokens) {
        return "The output was cut: the model's context window was full.";
    }
    return "The output was cut: max_tokens was reached.";
}

std::string failure_message(std::string_view line) {
    const auto document = jsonl::Document::parse(line);
    return std::string(document ? message_in(document->root()) : "The analysis failed.");
}

void write_tellings(jsonl::Writer& json, const std::vector<service::Telling>& tellings) {
    if (tellings.empty()) return;
    json.key("webhooks").open_array();
    for (const service::Telling& each : tellings) {
        json.open_object().member("url", each.url).member("delivered", each.delivered);
        json.member("attempts", each.attempts);
        if (!each.delivered) json.member("last_error", each.last_error);
        json.close_object();
    }
    json.close_array();
}

std::optional<AssetId> asset_of(const core::Subject& subject) {
    const std::string_view text = subject.text;
    if (!text.starts_with(kAssetSubject)) return std::nullopt;
    return AssetId::parse(text.substr(kAssetSubject.size()));
}

}  // namespace sheaf::dialect::twelvelabs
