#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dialect/anthropic/words.h"

namespace sheaf::dialect::anthropic {

// One request, in a batch or by itself.
inline constexpr std::uint64_t kMessageBytesMax = std::uint64_t{32} << 20;

struct MessageRules {
    Version version = Version::v2023_06_01;
    // From version 2026-10-21 on the vendor refuses temperature, top_p and top_k; open models need them, so
    // we do it only where the operator says so.
    bool refuses_sampling = false;
    bool is_in_batch = false;
    bool counts_tokens = false;
};

struct MessageRequest {
    std::string model;
    bool streams = false;
};

// Checks a Messages request as its vendor does. invalid: the first fault, with its path.
Result<MessageRequest> read_message_request(std::string_view body, const MessageRules& rules);

}  // namespace sheaf::dialect::anthropic
