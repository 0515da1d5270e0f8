#pragma once

#include <optional>
#include <string_view>

#include "protocol/conversation.h"

// Why an answer ended, in each protocol's words.
namespace sheaf::protocol {

// Nullopt: a word that tells of a failure ("abort", "error") or that nobody knows.
std::optional<StopReason> read_finish_reason(std::string_view word);  // Chat Completions
std::optional<StopReason> read_stop_reason(std::string_view word);    // Messages

std::string_view to_finish_reason(StopReason stop);
std::string_view to_stop_reason(StopReason stop);

// Whether the answer was cut off before it had said all.
bool is_cut_off(StopReason stop);

}  // namespace sheaf::protocol
