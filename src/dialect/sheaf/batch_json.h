#pragma once

#include <string>
#include <vector>

#include "core/batch.h"

namespace sheaf::dialect::native {

std::string render_batch(const core::Batch& batch);
std::string render_batches(const std::vector<core::Batch>& batches, bool has_more);

}  // namespace sheaf::dialect::native
