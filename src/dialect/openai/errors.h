#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/message.h"

namespace sheaf::dialect::openai {

// The vendor's words for kinds of errors, and for what exactly went wrong.
namespace type {
inline constexpr std::string_view kInvalidRequest = "invalid_request_error";
inline constexpr std::string_view kServer = "server_error";
inline constexpr std::string_view kRequests = "requests";
}  // namespace type
namespace code {
inline constexpr std::string_view kNone;
inline constexpr std::string_view kInvalidApiKey = "invalid_api_key";
inline constexpr std::string_view kInvalidType = "invalid_type";
inline constexpr std::string_view kInvalidValue = "invalid_value";
inline constexpr std::string_view kMissingRequiredParameter = "missing_required_parameter";
inline constexpr std::string_view kModelNotFound = "model_not_found";
inline constexpr std::string_view kRateLimitExceeded = "rate_limit_exceeded";
}  // namespace code

// Clients wait no longer than that, whatever Retry-After says: beyond it they give up or wait as they like.
inline constexpr int kRetryAfterMaxSeconds = 60;

// An error answer before it is written down.
struct Problem {
    int status = 500;
    std::string type = std::string(type::kServer);
    std::string message;
    std::string param = {};  // empty: null
    std::string code = {};   // empty: null
    std::optional<int> retry_after_s = std::nullopt;
};

template <class T = void>
using Checked = std::expected<T, Problem>;
using Reply = Checked<http::Response>;

// A request that is wrong: status 400 and invalid_request_error.
std::unexpected<Problem> refuse(std::string message, std::string param = {}, std::string_view code = {});
// Another status of the client's making, such as 404.
std::unexpected<Problem> refuse(int status, std::string message, std::string param = {},
                                std::string_view code = {});
std::unexpected<Problem> refuse_missing(std::string_view param);

// What `error` of a service or of the request's body means here.
Problem to_problem(const Error& error);
std::unexpected<Problem> refuse(const Error& error);

// {"error":{message,type,param,code}}, every key there.
std::string render_problem(const Problem& problem);
// With a 409 goes "x-should-retry: false": the SDKs would send it twice more.
http::Response to_response(const Problem& problem);

http::Response json_response(std::string body);

}  // namespace sheaf::dialect::openai
