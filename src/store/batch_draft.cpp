#include "store/batch_draft.h"

namespace sheaf::store {

bool is_rejected(const core::Batch& batch) {
    return batch.state == core::BatchState::ended && batch.end_reason == core::EndReason::rejected;
}

Result<> check_draft(const BatchDraft& draft, std::uint64_t body_bytes) {
    if (draft.items.empty() != is_rejected(draft.batch))
        return fail(ErrorCode::invalid, "a batch has at least one item, unless it was rejected");
    if (is_rejected(draft.batch) && !draft.batch.ended_at)
        return fail(ErrorCode::invalid, "a rejected batch has ended");
    if (!draft.plan.empty() && draft.plan.size() != draft.items.size())
        return fail(ErrorCode::invalid, "a plan has one entry for each item");
    if (draft.items.size() > kItemsMax) return fail(ErrorCode::too_large, "a batch has too many items");
    for (const ItemDraft& item : draft.items) {
        if (item.body_offset > body_bytes || item.body_bytes > body_bytes - item.body_offset)
            return fail(ErrorCode::invalid, "an item lies outside of the body");
    }
    return {};
}

core::Batch first_state(const BatchDraft& draft) {
    core::Batch batch = draft.batch;
    batch.results_bytes.reset();
    if (is_rejected(batch)) {
        batch.results_bytes = 0;
    } else {
        batch.state = core::BatchState::accepted;
        batch.end_reason = core::EndReason::none;
        batch.ended_at.reset();
    }
    batch.counts = {.queued = static_cast<std::uint32_t>(draft.items.size())};
    batch.usage = {};
    batch.cancel_requested_at.reset();
    batch.archived_at.reset();
    return batch;
}

}  // namespace sheaf::store
