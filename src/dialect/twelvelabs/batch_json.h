#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/twelvelabs/pagination.h"
#include "service/batches.h"

namespace sheaf::dialect::twelvelabs {

// The batch object. `shown_status` stands in for the batch's own: a cancel call always shows canceling.
std::string render_batch(const core::Batch& batch,
                         std::optional<std::string_view> shown_status = std::nullopt);

std::string render_batch_list(const store::Page<core::Batch>& page, const PageRequest& asked);

// The answer to the call that made it; `custom_ids` in order of the items.
std::string render_created(const core::Batch& batch,
                           const std::vector<std::optional<std::string>>& custom_ids);

}  // namespace sheaf::dialect::twelvelabs
