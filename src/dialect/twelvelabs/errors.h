#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/message.h"

namespace sheaf::dialect::twelvelabs {

// The vendor's words for what went wrong, and ours where it has none.
namespace code {
inline constexpr std::string_view kParameterInvalid = "parameter_invalid";
inline constexpr std::string_view kParameterNotProvided = "parameter_not_provided";
inline constexpr std::string_view kParameterUnknown = "parameter_unknown";
inline constexpr std::string_view kContentTypeInvalid = "content_type_invalid";
inline constexpr std::string_view kApiKeyInvalid = "api_key_invalid";
inline constexpr std::string_view kApiNotAllowed = "api_not_allowed";
inline constexpr std::string_view kResourceNotExist = "resource_not_exist";
inline constexpr std::string_view kEndpointNotExist = "endpoint_not_exist";
inline constexpr std::string_view kMethodNotAllowed = "method_not_allowed";
inline constexpr std::string_view kAssetNotReady = "asset_not_ready";
inline constexpr std::string_view kAssetInUse = "asset_in_use";
inline constexpr std::string_view kBatchNotTerminal = "batch_not_terminal";
inline constexpr std::string_view kTaskCannotBeDeleted = "task_cannot_be_deleted";
inline constexpr std::string_view kPayloadTooLarge = "payload_too_large";
inline constexpr std::string_view kVideoFilesizeTooLarge = "video_filesize_too_large";
inline constexpr std::string_view kVideoDurationTooLong = "video_duration_too_long";
inline constexpr std::string_view kTooManyRequests = "too_many_requests";
inline constexpr std::string_view kActiveBatchLimitExceeded = "active_batch_limit_exceeded";
inline constexpr std::string_view kTimedOut = "request_canceled_or_timed_out";
inline constexpr std::string_view kServiceUnavailable = "service_unavailable";
inline constexpr std::string_view kInternalServerError = "internal_server_error";
inline constexpr std::string_view kIdempotencyKeyConflict = "idempotency_key_conflict";
inline constexpr std::string_view kUploadExpired = "upload_expired";
inline constexpr std::string_view kConflict = "conflict";
}  // namespace code

// An error answer before it is written down.
struct Problem {
    int status = 500;
    std::string code;
    std::string message;
    std::string field = {};  // JSON path of the first offending value, or empty
    std::optional<int> retry_after_s = std::nullopt;
};

template <class T = void>
using Checked = std::expected<T, Problem>;
using Reply = Checked<http::Response>;

std::unexpected<Problem> refuse(int status, std::string_view code, std::string message,
                                std::string field = {});

// What `error` of a service or of the request's body means here. Unavailable parts and full disks ask for a
// retry.
Problem to_problem(const Error& error);
// The same for a call that creates a batch: its clients know 503 and 504, but not 507.
Problem to_creation_problem(const Error& error);
std::unexpected<Problem> refuse(const Error& error);
// The answer for an id that is none: the same as for one that nothing has.
std::unexpected<Problem> refuse_unknown();

// The two envelopes that the vendor documents in one body: members at the top, and again below `error`.
std::string render_problem(const Problem& problem);
http::Response to_response(const Problem& problem);

http::Response json_response(int status, std::string body);
http::Response empty_response(int status);

}  // namespace sheaf::dialect::twelvelabs
