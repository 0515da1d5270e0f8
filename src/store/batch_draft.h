#pragma once

#include <cstdint>

#include "store/batches.h"

// What every store does with a draft (Batches::create).
namespace sheaf::store {

bool is_rejected(const core::Batch& batch);
// invalid, too_large: what the contract of create() does not allow. `body_bytes`: of the draft's body.
Result<> check_draft(const BatchDraft& draft, std::uint64_t body_bytes);
// The draft's batch as it begins.
core::Batch first_state(const BatchDraft& draft);

}  // namespace sheaf::store
