#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/id.h"
#include "core/batch_state.h"
#include "core/item.h"

namespace sheaf::core {

// How many items of a batch are in each state. Their sum is the number of items, always.
struct Counts {
    std::uint32_t queued = 0;
    std::uint32_t running = 0;
    std::uint32_t succeeded = 0;
    std::uint32_t failed = 0;
    std::uint32_t canceled = 0;
    std::uint32_t expired = 0;

    std::uint32_t& of(ItemState state);
    std::uint32_t unfinished() const { return queued + running; }
    std::uint32_t total() const { return queued + running + succeeded + failed + canceled + expired; }
    bool operator==(const Counts&) const = default;
};

// A time that does not come.
inline constexpr Timestamp kNever{std::chrono::sys_days{std::chrono::year{9999} / 1 / 1}};

// A task is a batch of one that was not made by a batch call: it shares everything but the lists it is in
// and the limit on active batches.
enum class BatchKind : std::uint8_t { batch = 0, task = 1 };

// Whether the end of each of its items is a fact to tell, as the end of the batch is. Decided once, by the
// dialect at create: a column of the batch costs less than a look at each item when it has finished.
enum class ItemEvents : std::uint8_t {
    none = 0,
    to_webhooks = 1,     // where its account has a webhook for its dialect
    to_own_targets = 2,  // always: its items may say themselves whom to tell
};

struct Batch {
    BatchId id;
    AccountId account;
    std::string dialect;  // the name of the dialect it came in by
    BatchKind kind = BatchKind::batch;
    ItemEvents item_events = ItemEvents::none;
    std::string model;   // the name clients use; empty: each item names its own
    std::string tag;     // a word its dialect filters lists by, such as an analysis mode
    std::string shared;  // what the dialect keeps for all items, such as defaults; opaque to others
    BatchState state = BatchState::accepted;
    EndReason end_reason = EndReason::none;
    Counts counts;
    Usage usage;  // of all items that succeeded
    Timestamp created_at;
    Timestamp expires_at;                          // kNever: its time is never up
    Timestamp purge_at;                            // when it and its results are removed
    std::chrono::seconds keep_for{0};              // not 0: so long after its end is when it is removed
    std::optional<Timestamp> cancel_requested_at;  // of the first request
    std::optional<Timestamp> ended_at;             // set exactly when `state` is ended
    // When its requests and results are removed and it stays as a name. Nullopt: not before itself.
    std::optional<Timestamp> archive_at;
    std::optional<Timestamp> archived_at;
    // The size of the finished results file, once its lines are laid out; until then they come from the log.
    std::optional<std::uint64_t> results_bytes;
};

// What an event makes of `batch` at `now`, counters included; nullopt when the event is illegal in its state.
// A transition that leaves nothing unfinished also drains: a cancel with nothing running gives `ended`.
std::optional<Batch> after_event(Batch batch, BatchEvent event, Timestamp now);

}  // namespace sheaf::core
