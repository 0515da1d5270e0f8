#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/asset.h"
#include "core/batch.h"
#include "core/inference.h"
#include "service/batches.h"

// The vendor's words for our states and kinds, both ways.
namespace sheaf::dialect::twelvelabs {

enum class Mode : std::uint8_t { general, segments };

std::string_view to_word(Mode mode);
std::optional<Mode> parse_mode(std::string_view word);

// Stored with every batch: never change it.
inline constexpr std::string_view kDialectName = "twelvelabs";
inline constexpr std::string_view kPrefix = "/v1.3";

// pending, processing, canceling, completed, canceled, expired.
std::string_view batch_status(core::BatchState state, core::EndReason reason);
std::optional<store::StateFilter> parse_batch_status(std::string_view word);

// queued, processing, ready, failed, canceled. An expired item shows as canceled.
std::string_view item_status(core::ItemState state);
// The states a task filter asks for. `pending` is a word of the vendor's for which we have no state: it
// matches none, and the list is empty. Nullopt: not a status.
std::optional<std::vector<core::ItemState>> parse_task_status(std::string_view word);

std::string_view to_word(core::TimeFormat format);
std::optional<core::TimeFormat> parse_time_format(std::string_view word);
std::string_view to_word(core::FieldType type);
std::optional<core::FieldType> parse_field_type(std::string_view word);
std::string_view to_word(core::FinishReason reason);

// The vendor's code for why an item failed; a word it does not have becomes analysis_failed.
std::string_view failure_code(std::string_view ours);
// Whether a failure of this (vendor's) code is the request's fault and not the server's.
bool is_callers_fault(std::string_view failure_code);

std::string_view to_word(core::AssetState state);
std::string_view to_word(core::AssetMethod method);
std::string_view to_word(core::UploadState state);

}  // namespace sheaf::dialect::twelvelabs
