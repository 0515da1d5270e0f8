#include "dialect/openai/errors.h"

#include <algorithm>

#include <fmt/format.h>

#include "jsonl/writer.h"

namespace sheaf::dialect::openai {
namespace {

constexpr int kRetryAfterSeconds = 5;

std::string message_of(const Error& error, std::string_view fallback) {
    return error.message.empty() ? std::string(fallback) : error.message;
}

Problem make_client_problem(int status, const Error& error, std::string_view fallback) {
    return {status, std::string(type::kInvalidRequest), message_of(error, fallback), error.field};
}

Problem make_retryable(const Error& error) {
    Problem problem{503, std::string(type::kServer),
                    message_of(error, "The server cannot do this now; try again.")};
    problem.retry_after_s = kRetryAfterSeconds;
    return problem;
}

void write_or_null(jsonl::Writer& json, std::string_view name, std::string_view text) {
    if (text.empty())
        json.member_null(name);
    else
        json.member(name, text);
}

}  // namespace

std::unexpected<Problem> refuse(std::string message, std::string param, std::string_view code) {
    return refuse(400, std::move(message), std::move(param), code);
}

std::unexpected<Problem> refuse(int status, std::string message, std::string param, std::string_view code) {
    return std::unexpected(Problem{status, std::string(type::kInvalidRequest), std::move(message),
                                   std::move(param), std::string(code)});
}

std::unexpected<Problem> refuse_missing(std::string_view param) {
    return refuse(fmt::format("Missing required parameter: '{}'.", param), std::string(param),
                  code::kMissingRequiredParameter);
}

std::unexpected<Problem> refuse(const Error& error) {
    return std::unexpected(to_problem(error));
}

Problem to_problem(const Error& error) {
    switch (error.code) {
        case ErrorCode::invalid:
            return make_client_problem(400, error, "The request is not valid.");
        case ErrorCode::not_found:
            return make_client_problem(404, error, "There is no such object.");
        case ErrorCode::conflict:
            return make_client_problem(409, error, "The state of the object forbids this.");
        case ErrorCode::too_large:
            return make_client_problem(413, error, "The body is too large.");
        case ErrorCode::denied:
            return make_client_problem(403, error, "This is not allowed.");
        case ErrorCode::exhausted: {
            Problem problem{429, std::string(type::kRequests), message_of(error, "Too many requests.")};
            problem.code = code::kRateLimitExceeded;
            problem.retry_after_s = kRetryAfterSeconds;
            return problem;
        }
        case ErrorCode::no_space:
        case ErrorCode::unavailable:
            return make_retryable(error);
        case ErrorCode::timed_out:
        case ErrorCode::canceled:
            return make_client_problem(408, error, "The request did not come to its end.");
        case ErrorCode::corrupt:
        case ErrorCode::internal:
            break;
    }
    // The cause is in the log; what it says is not for clients.
    return {500, std::string(type::kServer), "Something went wrong inside the server."};
}

std::string render_problem(const Problem& problem) {
    jsonl::Writer json;
    json.open_object().key("error").open_object();
    json.member("message", problem.message).member("type", problem.type);
    write_or_null(json, "param", problem.param);
    write_or_null(json, "code", problem.code);
    json.close_object().close_object();
    return json.take();
}

http::Response to_response(const Problem& problem) {
    http::Response response = json_response(render_problem(problem));
    response.status = problem.status;
    if (problem.status == 409) response.headers.add("x-should-retry", "false");
    if (problem.retry_after_s) {
        response.headers.add("Retry-After",
                             std::to_string(std::min(*problem.retry_after_s, kRetryAfterMaxSeconds)));
    }
    return response;
}

http::Response json_response(std::string body) {
    http::Response response;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

}  // namespace sheaf::dialect::openai
