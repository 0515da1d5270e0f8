#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sheaf::core {

enum class BatchState : std::uint8_t { accepted = 0, running = 1, canceling = 2, ended = 3 };

// Why a batch ended. Stored as a number: never renumber.
enum class EndReason : std::uint8_t { none = 0, completed = 1, canceled = 2, expired = 3, rejected = 4 };

enum class BatchEvent : std::uint8_t {
    started,           // the first item was leased
    drained,           // no item is queued or running any more
    cancel_requested,  // by its owner; what runs may finish
    abort_requested,   // by its owner; what runs is stopped
    expired,           // its time was up
};

enum class ItemState : std::uint8_t {
    queued = 0,
    running = 1,
    succeeded = 2,
    failed = 3,
    canceled = 4,
    expired = 5
};

constexpr bool is_terminal(ItemState state) {
    return state >= ItemState::succeeded;
}

// One that has an answer of its own.
constexpr bool has_result(ItemState state) {
    return state == ItemState::succeeded || state == ItemState::failed;
}

// What an event makes of a batch and of its unfinished items. Nullopt: they stay as they are.
struct Transition {
    BatchState from;
    BatchEvent event;
    BatchState to;
    EndReason reason = EndReason::none;
    std::optional<ItemState> queued_items_become = std::nullopt;
    std::optional<ItemState> running_items_become = std::nullopt;
};

// The life of a batch. An event that is not listed for a state is illegal in it. A batch that was rejected is
// stored as ended and knows no other state.
inline constexpr std::array kTransitions{
    Transition{BatchState::accepted, BatchEvent::started, BatchState::running},
    Transition{BatchState::accepted, BatchEvent::drained, BatchState::ended, EndReason::completed},
    Transition{BatchState::running, BatchEvent::drained, BatchState::ended, EndReason::completed},
    Transition{BatchState::accepted, BatchEvent::cancel_requested, BatchState::canceling, EndReason::none,
               ItemState::canceled},
    Transition{BatchState::running, BatchEvent::cancel_requested, BatchState::canceling, EndReason::none,
               ItemState::canceled},
    Transition{BatchState::canceling, BatchEvent::drained, BatchState::ended, EndReason::canceled},
    Transition{BatchState::accepted, BatchEvent::abort_requested, BatchState::ended, EndReason::canceled,
               ItemState::canceled, ItemState::canceled},
    Transition{BatchState::running, BatchEvent::abort_requested, BatchState::ended, EndReason::canceled,
               ItemState::canceled, ItemState::canceled},
    Transition{BatchState::canceling, BatchEvent::abort_requested, BatchState::ended, EndReason::canceled,
               ItemState::canceled, ItemState::canceled},
    Transition{BatchState::accepted, BatchEvent::expired, BatchState::ended, EndReason::expired,
               ItemState::expired, ItemState::expired},
    Transition{BatchState::running, BatchEvent::expired, BatchState::ended, EndReason::expired,
               ItemState::expired, ItemState::expired},
    Transition{BatchState::canceling, BatchEvent::expired, BatchState::ended, EndReason::expired,
               ItemState::expired, ItemState::expired},
};

// The transition that `event` causes in `from`, or null when it is illegal there.
const Transition* find_transition(BatchState from, BatchEvent event);

// Whether an item may go from one state to the other. running to running is a new lease on a lost one.
bool may_become(ItemState from, ItemState to);

std::string_view to_string(BatchState state);
std::string_view to_string(EndReason reason);
std::string_view to_string(ItemState state);

}  // namespace sheaf::core
