#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "core/batch.h"

// The vendor's words for our ids, times and states.
namespace sheaf::dialect::anthropic {

// Stored with every batch: never change it.
inline constexpr std::string_view kDialectName = "anthropic";
inline constexpr std::string_view kMessages = "/v1/messages";
inline constexpr std::string_view kBatches = "/v1/messages/batches";

// The published versions of the API.
enum class Version : std::uint8_t { v2023_06_01, v2026_10_21 };
std::string_view to_word(Version version);
std::optional<Version> parse_version(std::string_view word);

// "msgbatch_" and 24 hex digits.
std::string batch_name(const BatchId& id);
// "req_" and 24 hex digits.
std::string make_request_id(Timestamp now);

// "2024-08-20T18:37:24.100000Z"
std::string to_time(Timestamp time);

// in_progress, canceling, ended.
std::string_view processing_status(core::BatchState state);

}  // namespace sheaf::dialect::anthropic
