#include "dialect/twelvelabs/batch_json.h"

#include "dialect/twelvelabs/task_json.h"
#include "dialect/twelvelabs/words.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

void write_batch(jsonl::Writer& json, const core::Batch& batch, std::string_view status,
                 const Tellings& tellings) {
    const core::Counts& counts = batch.counts;
    json.open_object().member("batch_id", to_string(batch.id)).member("analysis_mode", batch.tag);
    json.member("model_name", batch.model).member("status", status);
    json.member("total_items", counts.total()).member("queued_items", counts.queued);
    json.member("processing_items", counts.running).member("ready_items", counts.succeeded);
    json.member("failed_items", counts.failed).member("canceled_items", counts.canceled + counts.expired);
    json.member("created_at", to_rfc3339(batch.created_at))
        .member("expires_at", to_rfc3339(batch.expires_at));
    if (batch.ended_at) {
        // Exactly the one that goes with the status shown.
        if (status == "completed") json.member("completed_at", to_rfc3339(*batch.ended_at));
        if (status == "canceled") json.member("canceled_at", to_rfc3339(*batch.ended_at));
        if (status == "expired") json.member("expired_at", to_rfc3339(*batch.ended_at));
    }
    write_tellings(json, tellings);
    json.close_object();
}

}  // namespace

std::string render_batch(const core::Batch& batch, const Tellings& tellings) {
    jsonl::Writer json;
    write_batch(json, batch, batch_status(batch.state, batch.end_reason), tellings);
    return json.take();
}

std::string render_canceling(const core::Batch& batch) {
    jsonl::Writer json;
    write_batch(json, batch, batch_status(core::BatchState::canceling, core::EndReason::none), {});
    return json.take();
}

std::string render_batch_list(const store::Page<core::Batch>& page, const std::vector<Tellings>& tellings,
                              const PageRequest& asked) {
    jsonl::Writer json;
    json.open_object().key("data").open_array();
    for (std::size_t at = 0; at < page.rows.size(); ++at) {
        const core::Batch& batch = page.rows[at];
        write_batch(json, batch, batch_status(batch.state, batch.end_reason), tellings[at]);
    }
    json.close_array();
    write_page_info(json, asked, page.total);
    json.close_object();
    return json.take();
}

std::string render_created(const core::Batch& batch,
                           const std::vector<std::optional<std::string>>& custom_ids) {
    jsonl::Writer json;
    json.open_object().member("batch_id", to_string(batch.id)).member("status", "pending");
    json.member("total_items", custom_ids.size()).member("created_at", to_rfc3339(batch.created_at));
    json.member("expires_at", to_rfc3339(batch.expires_at)).key("items").open_array();
    for (std::size_t i = 0; i < custom_ids.size(); ++i) {
        json.open_object().member("task_id", to_string(batch.id.item(static_cast<std::uint32_t>(i))));
        if (custom_ids[i])
            json.member("custom_id", *custom_ids[i]);
        else
            json.member_null("custom_id");
        json.close_object();
    }
    json.close_array().close_object();
    return json.take();
}

}  // namespace sheaf::dialect::twelvelabs
