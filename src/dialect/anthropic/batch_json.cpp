#include "dialect/anthropic/batch_json.h"

#include <fmt/format.h>

#include "dialect/anthropic/words.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::anthropic {
namespace {

using jsonl::Writer;

void write_counts(Writer& json, const core::Counts& counts, bool has_ended) {
    const auto shown = [has_ended](std::uint32_t count) { return has_ended ? count : 0; };
    json.key("request_counts").open_object();
    json.member("processing", has_ended ? 0 : counts.total());
    json.member("succeeded", shown(counts.succeeded)).member("errored", shown(counts.failed));
    json.member("canceled", shown(counts.canceled)).member("expired", shown(counts.expired));
    json.close_object();
}

void write_time(Writer& json, std::string_view name, const std::optional<Timestamp>& time) {
    if (time)
        json.member(name, to_time(*time));
    else
        json.member_null(name);
}

void write_batch(Writer& json, const core::Batch& batch, core::BatchState state, std::string_view base) {
    const bool has_ended = state == core::BatchState::ended;
    json.open_object().member("id", batch_name(batch.id)).member("type", "message_batch");
    json.member("processing_status", processing_status(state));
    write_counts(json, batch.counts, has_ended);
    json.member("created_at", to_time(batch.created_at)).member("expires_at", to_time(batch.expires_at));
    write_time(json, "ended_at", has_ended ? batch.ended_at : std::nullopt);
    write_time(json, "cancel_initiated_at", batch.cancel_requested_at);
    write_time(json, "archived_at", batch.archived_at);
    if (has_ended && !batch.archived_at)
        json.member("results_url", fmt::format("{}{}/{}/results", base, kBatches, batch_name(batch.id)));
    else
        json.member_null("results_url");
    json.close_object();
}

}  // namespace

std::string render_batch(const core::Batch& batch, std::string_view base) {
    Writer json;
    write_batch(json, batch, batch.state, base);
    return json.take();
}

std::string render_canceling(const core::Batch& batch) {
    Writer json;
    write_batch(json, batch, core::BatchState::canceling, {});
    return json.take();
}

std::string render_batch_list(const store::CursorPage& page, std::string_view base) {
    Writer json;
    json.open_object().key("data").open_array();
    for (const core::Batch& batch : page.rows) write_batch(json, batch, batch.state, base);
    json.close_array();
    const bool is_empty = page.rows.empty();
    write_page_end(json, {.has_more = page.has_more,
                          .first_id = is_empty ? "" : batch_name(page.rows.front().id),
                          .last_id = is_empty ? "" : batch_name(page.rows.back().id)});
    json.close_object();
    return json.take();
}

std::string render_deleted(const BatchId& id) {
    Writer json;
    json.open_object().member("id", batch_name(id)).member("type", "message_batch_deleted").close_object();
    return json.take();
}

}  // namespace sheaf::dialect::anthropic
