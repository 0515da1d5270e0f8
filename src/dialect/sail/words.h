#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "core/batch_state.h"

// The vendor's words for our states and ids, both ways.
namespace sheaf::dialect::sail {

// Stored with every batch: never change it.
inline constexpr std::string_view kDialectName = "sail";
inline constexpr std::string_view kPrefix = "/sail/v1";

// The same states have other words in each place: PENDING … in the map of a batch, pending … of an item of a
// batch, queued … of a response by its id. Nothing of Sail's expires; an expired item shows as canceled.
std::string_view map_word(core::ItemState state);
std::string_view item_word(core::ItemState state);
// `was_cut`: the answer is there and ends early.
std::string_view response_word(core::ItemState state, bool was_cut);

std::string print_batch_id(const BatchId& id);
// "resp_" and the item's id.
std::string print_response_id(const ItemId& id);
std::optional<ItemId> parse_response_id(std::string_view text);

std::int64_t unix_seconds(Timestamp time);

}  // namespace sheaf::dialect::sail
