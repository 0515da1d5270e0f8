#include "dialect/sail/words.h"

#include <array>

#include "dialect/sail/sail.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::string_view kBatchPrefix = "batch_";
constexpr std::string_view kResponsePrefix = "resp_";

// In the order of core::ItemState.
struct StateWords {
    std::string_view in_map;
    std::string_view of_item;
    std::string_view of_response;
};
constexpr std::array kStates{
    StateWords{"PENDING", "pending", "queued"},        StateWords{"RUNNING", "running", "in_progress"},
    StateWords{"COMPLETED", "completed", "completed"}, StateWords{"FAILED", "failed", "failed"},
    StateWords{"CANCELLED", "cancelled", "cancelled"}, StateWords{"CANCELLED", "cancelled", "cancelled"},
};

const StateWords& words_of(core::ItemState state) {
    return kStates.at(static_cast<std::size_t>(state));
}

std::optional<std::string_view> without_prefix(std::string_view text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return std::nullopt;
    return text.substr(prefix.size());
}

}  // namespace

std::string_view map_word(core::ItemState state) {
    return words_of(state).in_map;
}

std::string_view item_word(core::ItemState state) {
    return words_of(state).of_item;
}

std::string_view response_word(core::ItemState state, bool was_cut) {
    return was_cut ? "incomplete" : words_of(state).of_response;
}

std::string print_batch_id(const BatchId& id) {
    return std::string(kBatchPrefix) + to_string(id);
}

std::optional<BatchId> parse_batch_id(std::string_view text) {
    const auto digits = without_prefix(text, kBatchPrefix);
    return digits ? ::sheaf::parse_batch_id(*digits) : std::nullopt;
}

std::string print_response_id(const ItemId& id) {
    return std::string(kResponsePrefix) + to_string(id);
}

std::optional<ItemId> parse_response_id(std::string_view text) {
    const auto digits = without_prefix(text, kResponsePrefix);
    return digits ? parse_item_id(*digits) : std::nullopt;
}

std::int64_t unix_seconds(Timestamp time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace sheaf::dialect::sail
