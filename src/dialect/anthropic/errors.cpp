#include "dialect/anthropic/errors.h"

#include <array>

#include <fmt/format.h>

#include "jsonl/writer.h"

namespace sheaf::dialect::anthropic {
namespace {

constexpr int kRetryAfterSeconds = 5;

Problem make(int status, std::string_view type, const Error& error, std::string_view fallback) {
    return {status, type, tell(error.field, error.message.empty() ? fallback : error.message)};
}

Problem make_retryable(const Error& error) {
    Problem problem = make(503, type::kApi, error, "The server cannot do this now; try again.");
    problem.retry_after_s = kRetryAfterSeconds;
    return problem;
}

struct Kind {
    int status;
    std::string_view type;
};
constexpr Kind kInvalid{400, type::kInvalidRequest};
constexpr Kind kNotFound{404, type::kNotFound};
constexpr Kind kTimeout{504, type::kTimeout};
constexpr Kind kOverloaded{529, type::kOverloaded};
constexpr Kind kBroken{500, type::kApi};

struct FailureWord {
    std::string_view code;
    Kind kind;
};
constexpr std::array kFailureWords{
    FailureWord{"invalid_request", kInvalid},
    FailureWord{"model_not_found", kNotFound},
    FailureWord{"overloaded", kOverloaded},
    FailureWord{"timed_out", kTimeout},
};

bool is_about_our_credentials(const core::Failure& failure) {
    return failure.status == 401 || failure.status == 403;
}

Kind kind_of(const core::Failure& failure) {
    if (is_about_our_credentials(failure)) return kBroken;
    for (const auto& word : kFailureWords)
        if (word.code == failure.code) return word.kind;
    switch (failure.status) {
        case 400:
        case 413:
        case 422:
            return kInvalid;
        case 404:
            return kNotFound;
        case 408:
        case 504:
            return kTimeout;
        case 429:
        case 503:
        case 529:
            return kOverloaded;
        default:
            return kBroken;
    }
}

}  // namespace

std::unexpected<Problem> refuse(std::string message) {
    return refuse(400, type::kInvalidRequest, std::move(message));
}

std::unexpected<Problem> refuse(int status, std::string_view type, std::string message) {
    return std::unexpected(Problem{status, type, std::move(message)});
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
            return make(400, type::kInvalidRequest, error, "The request is not valid.");
        // One wording for all: whose thing it is, or whether it ever was, is not told.
        case ErrorCode::not_found:
            return {404, type::kNotFound, "Not found."};
        case ErrorCode::conflict:
            return make(400, type::kInvalidRequest, error, "The state of the batch forbids this.");
        case ErrorCode::too_large:
            return make(413, type::kRequestTooLarge, error, "The request exceeds the maximum size.");
        case ErrorCode::exhausted:
            return make(429, type::kRateLimit, error, "Too many requests.");
        case ErrorCode::denied:
            return make(403, type::kPermission, error, "This is not allowed.");
        case ErrorCode::no_space:
        case ErrorCode::unavailable:
            return make_retryable(error);
        case ErrorCode::timed_out:
            return make(504, type::kTimeout, error, "The deadline of this call has passed.");
        case ErrorCode::canceled:
            return make(503, type::kApi, error, "The call was canceled.");
        case ErrorCode::corrupt:
        case ErrorCode::internal:
            break;
    }
    // The cause is in the log; what it says is not for clients.
    return {500, type::kApi, "Internal server error."};
}

Problem to_problem(const core::Failure& failure) {
    const Kind kind = kind_of(failure);
    if (is_about_our_credentials(failure))
        return {kind.status, kind.type, "The model server refused this server's credentials."};
    return {kind.status, kind.type,
            tell(failure.field, failure.message.empty() ? "The request failed." : failure.message)};
}

Problem to_problem(const core::Ending& ending) {
    if (const auto* const failed = std::get_if<core::Failed>(&ending)) return to_problem(failed->failure);
    Problem problem{503, type::kOverloaded, "The request was stopped; try again."};
    problem.retry_after_s = kRetryAfterSeconds;
    return problem;
}

std::string tell(std::string_view field, std::string_view message) {
    return field.empty() ? std::string(message) : fmt::format("{}: {}", field, message);
}

std::string render_problem(const Problem& problem, std::string_view request_id) {
    jsonl::Writer json;
    json.open_object().member("type", "error").key("error").open_object();
    json.member("type", problem.type).member("message", problem.message);
    if (!problem.error_code.empty())
        json.key("details").open_object().member("error_code", problem.error_code).close_object();
    json.close_object().key("request_id");
    if (request_id.empty())
        json.null();
    else
        json.value(request_id);
    json.close_object();
    return json.take();
}

http::Response to_response(const Problem& problem, std::string_view request_id) {
    http::Response response = json_response(render_problem(problem, request_id));
    response.status = problem.status;
    if (problem.retry_after_s) response.headers.add("retry-after", std::to_string(*problem.retry_after_s));
    return response;
}

http::Response json_response(std::string body) {
    http::Response response;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

}  // namespace sheaf::dialect::anthropic
