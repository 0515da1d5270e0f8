#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/id.h"

namespace sheaf::dialect {

// Reads a batch's id as one vendor prints it; each dialect has one in its public header.
using ParseBatchId = std::optional<BatchId> (*)(std::string_view text);

// A batch's id in any of these forms, or as its plain 24 hex digits.
inline std::optional<BatchId> parse_any_batch_id(std::string_view text, std::span<const ParseBatchId> forms) {
    for (const ParseBatchId parse : forms) {
        if (const auto id = parse(text)) return id;
    }
    return parse_batch_id(text);
}

}  // namespace sheaf::dialect
