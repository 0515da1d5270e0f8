#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "dialect/openai/errors.h"

namespace sheaf::dialect::openai {

inline constexpr std::string_view kBatchPurpose = "batch";

// Refuses what a client may not upload a file for: unknown words, and purposes that are the server's own.
Checked<> check_purpose(std::string_view purpose);

// How long a file is kept: as asked for, or as its purpose says. Nullopt: for ever.
std::optional<std::chrono::seconds> lifetime_of(std::string_view purpose,
                                                std::optional<std::chrono::seconds> asked,
                                                std::chrono::seconds batch_file_time);

}  // namespace sheaf::dialect::openai
