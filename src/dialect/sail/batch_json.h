#pragma once

#include <string>
#include <vector>

#include "core/batch.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::sail {

// The members that every answer about a batch has: id, request_counts, created_at, and label where there is
// one. The object stays open.
void open_batch(jsonl::Writer& json, const core::Batch& batch);

// The batch object. It has no status: what is known of its items is in the map.
std::string render_batch(const core::Batch& batch);
std::string render_batches(const std::vector<core::Batch>& batches);

}  // namespace sheaf::dialect::sail
