#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "core/outcome.h"
#include "http/message.h"

namespace sheaf::dialect::anthropic {

// The vendor's types of errors.
namespace type {
inline constexpr std::string_view kInvalidRequest = "invalid_request_error";
inline constexpr std::string_view kAuthentication = "authentication_error";
inline constexpr std::string_view kPermission = "permission_error";
inline constexpr std::string_view kNotFound = "not_found_error";
inline constexpr std::string_view kRequestTooLarge = "request_too_large";
inline constexpr std::string_view kRateLimit = "rate_limit_error";
inline constexpr std::string_view kTimeout = "timeout_error";
inline constexpr std::string_view kApi = "api_error";
inline constexpr std::string_view kOverloaded = "overloaded_error";
}  // namespace type

// An error answer before it is written down. 409 is never one: clients repeat it.
struct Problem {
    int status = 500;
    std::string_view type = type::kApi;  // one of the above
    std::string message;
    std::string_view error_code = {};  // one of the vendor's stable codes, where the cause has one
    std::optional<int> retry_after_s = std::nullopt;
};

template <class T = void>
using Checked = std::expected<T, Problem>;
using Reply = Checked<http::Response>;

std::unexpected<Problem> refuse(std::string message);  // 400 invalid_request_error
std::unexpected<Problem> refuse(int status, std::string_view type, std::string message);

// What `error` of a service or of the request's body means here. Unavailable parts and full disks ask for a
// retry.
Problem to_problem(const Error& error);
std::unexpected<Problem> refuse(const Error& error);
// The answer for an id that is none: the same as for one that nothing has.
std::unexpected<Problem> refuse_unknown();

// Why an item or a live call failed. Its type is one of those that may stand in results.
Problem to_problem(const core::Failure& failure);
// A live call that gave no answer.
Problem to_problem(const core::Ending& ending);

// "field: message", the vendor's form.
std::string tell(std::string_view field, std::string_view message);

// The envelope: {"type":"error","error":{…},"request_id":"…"}; an empty id is null.
std::string render_problem(const Problem& problem, std::string_view request_id);
http::Response to_response(const Problem& problem, std::string_view request_id);

http::Response json_response(std::string body);

}  // namespace sheaf::dialect::anthropic
