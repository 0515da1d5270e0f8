#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dialect/twelvelabs/pagination.h"
#include "service/batches.h"
#include "service/webhooks.h"

namespace sheaf::dialect::twelvelabs {

using Tellings = std::vector<service::Telling>;

// The batch object, with what was told of its end.
std::string render_batch(const core::Batch& batch, const Tellings& tellings);
// As a cancel call shows it: canceling, even if it has ended in the same step.
std::string render_canceling(const core::Batch& batch);

// `tellings` of each row, in order.
std::string render_batch_list(const store::Page<core::Batch>& page, const std::vector<Tellings>& tellings,
                              const PageRequest& asked);

// The answer to the call that made it; `custom_ids` in order of the items.
std::string render_created(const core::Batch& batch,
                           const std::vector<std::optional<std::string>>& custom_ids);

}  // namespace sheaf::dialect::twelvelabs
