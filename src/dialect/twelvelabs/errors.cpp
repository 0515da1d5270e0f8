#include "dialect/twelvelabs/errors.h"

#include "jsonl/writer.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr int kRetryAfterSeconds = 5;

Problem make(int status, std::string_view code, const Error& error, std::string_view fallback) {
    return {status, std::string(code), error.message.empty() ? std::string(fallback) : error.message,
            error.field};
}

Problem make_retryable(int status, const Error& error) {
    Problem problem =
        make(status, code::kServiceUnavailable, error, "The server cannot do this now; try again.");
    problem.retry_after_s = kRetryAfterSeconds;
    return problem;
}

}  // namespace

std::unexpected<Problem> refuse(int status, std::string_view code, std::string message, std::string field) {
    return std::unexpected(Problem{status, std::string(code), std::move(message), std::move(field)});
}

std::unexpected<Problem> refuse(const Error& error) {
    return std::unexpected(to_problem(error));
}

std::unexpected<Problem> refuse_unknown() {
    return refuse(Error{ErrorCode::not_found, {}, {}});
}

Problem to_problem(const Error& error) {
    switch (error.code) {
        case ErrorCode::invalid:
            return make(400, code::kParameterInvalid, error, "The request is not valid.");
        // One wording for all: whose thing it is, or whether it ever was, is not told.
        case ErrorCode::not_found:
            return {404, std::string(code::kResourceNotExist), "The resource does not exist."};
        case ErrorCode::conflict:
            return make(409, code::kConflict, error, "The state of the resource forbids this.");
        case ErrorCode::too_large:
            return make(413, code::kPayloadTooLarge, error, "The body is too large.");
        case ErrorCode::exhausted:
            return make(429, code::kTooManyRequests, error, "Too many requests.");
        case ErrorCode::denied:
            return make(403, code::kApiNotAllowed, error, "This is not allowed.");
        case ErrorCode::no_space:
            return make_retryable(507, error);
        case ErrorCode::unavailable:
            return make_retryable(503, error);
        case ErrorCode::timed_out:
            return make(504, code::kTimedOut, error, "The deadline of this call has passed.");
        case ErrorCode::canceled:
            return make(503, code::kTimedOut, error, "The call was canceled.");
        case ErrorCode::corrupt:
        case ErrorCode::internal:
            break;
    }
    // The cause is in the log; what it says is not for clients.
    return {500, std::string(code::kInternalServerError), "Something went wrong inside the server."};
}

Problem to_creation_problem(const Error& error) {
    Problem problem = to_problem(error);
    if (error.code == ErrorCode::no_space) problem.status = 503;
    if (error.code == ErrorCode::exhausted) problem.code = code::kActiveBatchLimitExceeded;
    return problem;
}

std::string render_problem(const Problem& problem) {
    jsonl::Writer json;
    json.open_object().member("code", problem.code).member("message", problem.message);
    json.key("error").open_object().member("code", problem.code).member("message", problem.message);
    if (!problem.field.empty()) {
        json.key("details").open_object().member("field", problem.field).close_object();
    }
    json.close_object().close_object();
    return json.take();
}

http::Response to_response(const Problem& problem) {
    http::Response response = json_response(problem.status, render_problem(problem));
    if (problem.retry_after_s) response.headers.add("Retry-After", std::to_string(*problem.retry_after_s));
    return response;
}

http::Response json_response(int status, std::string body) {
    http::Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

http::Response empty_response(int status) {
    http::Response response;
    response.status = status;
    response.body = std::string();
    return response;
}

}  // namespace sheaf::dialect::twelvelabs
