#include "dialect/sheaf/batch_json.h"

#include <optional>

#include "jsonl/writer.h"

namespace sheaf::dialect::native {
namespace {

using jsonl::Writer;

void write_time(Writer& json, std::string_view name, std::optional<Timestamp> time) {
    if (time && *time < core::kNever)
        json.member(name, to_rfc3339(*time));
    else
        json.member_null(name);
}

void write_word(Writer& json, std::string_view name, std::string_view word) {
    if (word.empty())
        json.member_null(name);
    else
        json.member(name, word);
}

void write_counts(Writer& json, const core::Counts& counts) {
    json.key("counts").open_object().member("total", counts.total()).member("queued", counts.queued);
    json.member("running", counts.running).member("succeeded", counts.succeeded);
    json.member("failed", counts.failed).member("canceled", counts.canceled);
    json.member("expired", counts.expired).close_object();
}

void write_usage(Writer& json, const core::Usage& usage) {
    json.key("usage").open_object().member("input_tokens", usage.input_tokens);
    json.member("output_tokens", usage.output_tokens).member("cached_tokens", usage.cached_tokens);
    json.member("reasoning_tokens", usage.reasoning_tokens).close_object();
}

void write_batch(Writer& json, const core::Batch& batch) {
    const bool has_ended = batch.state == core::BatchState::ended;
    json.open_object().member("id", to_string(batch.id)).member("dialect", batch.dialect);
    json.member("kind", batch.kind == core::BatchKind::task ? "task" : "batch");
    write_word(json, "model", batch.model);
    write_word(json, "tag", batch.tag);
    json.member("state", core::to_string(batch.state));
    write_word(json, "end_reason", has_ended ? core::to_string(batch.end_reason) : std::string_view());
    write_counts(json, batch.counts);
    write_usage(json, batch.usage);
    json.member("created_at", to_rfc3339(batch.created_at));
    write_time(json, "cancel_requested_at", batch.cancel_requested_at);
    write_time(json, "ended_at", batch.ended_at);
    write_time(json, "expires_at", batch.expires_at);
    write_time(json, "archived_at", batch.archived_at);
    write_time(json, "purge_at", batch.purge_at);
    json.close_object();
}

}  // namespace

std::string render_batch(const core::Batch& batch) {
    Writer json;
    write_batch(json, batch);
    return json.take();
}

std::string render_batches(const std::vector<core::Batch>& batches, bool has_more) {
    Writer json;
    json.open_object().key("batches").open_array();
    for (const core::Batch& batch : batches) write_batch(json, batch);
    json.close_array().member("has_more", has_more).close_object();
    return json.take();
}

}  // namespace sheaf::dialect::native
