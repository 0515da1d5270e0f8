#include "dialect/sail/batch_json.h"

#include "dialect/sail/words.h"

namespace sheaf::dialect::sail {

void open_batch(jsonl::Writer& json, const core::Batch& batch) {
    json.open_object().member("id", print_batch_id(batch.id)).member("request_counts", batch.counts.total());
    json.member("created_at", unix_seconds(batch.created_at));
    if (!batch.tag.empty()) json.member("label", batch.tag);
}

std::string render_batch(const core::Batch& batch) {
    jsonl::Writer json;
    open_batch(json, batch);
    json.close_object();
    return json.take();
}

std::string render_batches(const std::vector<core::Batch>& batches) {
    jsonl::Writer json;
    json.open_array();
    for (const core::Batch& batch : batches) {
        open_batch(json, batch);
        json.close_object();
    }
    json.close_array();
    return json.take();
}

}  // namespace sheaf::dialect::sail
