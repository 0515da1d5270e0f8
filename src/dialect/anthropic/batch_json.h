#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dialect/anthropic/pages.h"
#include "service/batches.h"

// What batches look like to clients. `base` is the address they reach the server by.
namespace sheaf::dialect::anthropic {

// The object with all its ten fields. Counts move only once all of it has ended. An archived batch has no
// results_url.
std::string render_batch(const core::Batch& batch, std::string_view base);
// The same of a batch whose cancellation was just asked for: it is shown as under way, though nothing ran and
// it ended in the same step.
std::string render_canceling(const core::Batch& batch);
std::string render_batch_list(const store::CursorPage& page, std::string_view base);
std::string render_deleted(const BatchId& id);

}  // namespace sheaf::dialect::anthropic
