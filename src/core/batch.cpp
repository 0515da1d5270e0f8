#include "core/batch.h"

#include "base/check.h"

namespace sheaf::core {

std::uint32_t& Counts::of(ItemState state) {
    switch (state) {
        case ItemState::queued:
            return queued;
        case ItemState::running:
            return running;
        case ItemState::succeeded:
            return succeeded;
        case ItemState::failed:
            return failed;
        case ItemState::canceled:
            return canceled;
        case ItemState::expired:
            return expired;
    }
    CHECK(false, "an item state of no known value");
}

std::optional<Batch> after_event(Batch batch, BatchEvent event, Timestamp now) {
    const Transition* const row = find_transition(batch.state, event);
    if (row == nullptr) return std::nullopt;
    batch.state = row->to;
    batch.end_reason = row->reason;
    const bool is_cancel = event == BatchEvent::cancel_requested || event == BatchEvent::abort_requested;
    if (is_cancel && !batch.cancel_requested_at) batch.cancel_requested_at = now;
    if (row->queued_items_become) {
        batch.counts.of(*row->queued_items_become) += batch.counts.queued;
        batch.counts.queued = 0;
    }
    if (row->running_items_become) {
        batch.counts.of(*row->running_items_become) += batch.counts.running;
        batch.counts.running = 0;
    }
    if (batch.state == BatchState::ended) {
        CHECK(batch.counts.unfinished() == 0, "a batch ends when its items have");
        batch.ended_at = now;
        if (batch.keep_for.count() > 0) batch.purge_at = now + batch.keep_for;
        return batch;
    }
    if (batch.counts.unfinished() == 0) return after_event(std::move(batch), BatchEvent::drained, now);
    return batch;
}

}  // namespace sheaf::core
