#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/error.h"
#include "core/outcome.h"
#include "dialect/error_object.h"

namespace sheaf::dialect::sail {

// Words for what is wrong with a value: OpenAI's, since the vendor has none of its own.
namespace code {
inline constexpr std::string_view kMissing = "missing_required_parameter";
inline constexpr std::string_view kUnknown = "unknown_parameter";
inline constexpr std::string_view kUnsupported = "unsupported_parameter";
inline constexpr std::string_view kInvalidType = "invalid_type";
inline constexpr std::string_view kInvalidValue = "invalid_value";
inline constexpr std::string_view kDuplicateCustomId = "duplicate_custom_id";
inline constexpr std::string_view kModelNotFound = "model_not_found";
}  // namespace code

template <class T = void>
using Checked = std::expected<T, ErrorObject>;
using Reply = Checked<http::Response>;

// 400, with the path of what is wrong and the sentence that says why.
std::unexpected<ErrorObject> refuse(std::string_view code, std::string param, std::string message);
std::unexpected<ErrorObject> refuse_missing(std::string param);
std::unexpected<ErrorObject> refuse(const Error& error);
// One wording for all: whose thing it is, or whether it ever was, is not told.
std::unexpected<ErrorObject> refuse_unknown();

ErrorObject to_problem(const Error& error);
// Why a request that was answered directly has no answer.
ErrorObject to_problem(const core::Ending& ending);

// The error object of an item that failed: the model server's own, as far as it gave one.
ErrorObject to_item_error(const core::Failure& failure);

}  // namespace sheaf::dialect::sail
