#include "core/batch_state.h"

#include <algorithm>

namespace sheaf::core {

const Transition* find_transition(BatchState from, BatchEvent event) {
    const auto* const found = std::ranges::find_if(
        kTransitions, [&](const Transition& row) { return row.from == from && row.event == event; });
    return found == kTransitions.end() ? nullptr : found;
}

bool may_become(ItemState from, ItemState to) {
    switch (from) {
        case ItemState::queued:
            return to == ItemState::running || to == ItemState::failed || to == ItemState::canceled ||
                   to == ItemState::expired;
        case ItemState::running:
            return to != ItemState::queued;
        case ItemState::succeeded:
        case ItemState::failed:
        case ItemState::canceled:
        case ItemState::expired:
            return false;
    }
    return false;
}

std::string_view to_string(BatchState state) {
    switch (state) {
        case BatchState::accepted:
            return "accepted";
        case BatchState::running:
            return "running";
        case BatchState::canceling:
            return "canceling";
        case BatchState::ended:
            return "ended";
    }
    return "?";
}

std::string_view to_string(EndReason reason) {
    switch (reason) {
        case EndReason::none:
            return "none";
        case EndReason::completed:
            return "completed";
        case EndReason::canceled:
            return "canceled";
        case EndReason::expired:
            return "expired";
        case EndReason::rejected:
            return "rejected";
    }
    return "?";
}

std::string_view to_string(ItemState state) {
    switch (state) {
        case ItemState::queued:
            return "queued";
        case ItemState::running:
            return "running";
        case ItemState::succeeded:
            return "succeeded";
        case ItemState::failed:
            return "failed";
        case ItemState::canceled:
            return "canceled";
        case ItemState::expired:
            return "expired";
    }
    return "?";
}

}  // namespace sheaf::core
