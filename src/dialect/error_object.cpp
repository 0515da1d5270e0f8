#include "dialect/error_object.h"

#include <array>

#include "base/hash.h"
#include "base/id.h"
#include "jsonl/writer.h"

namespace sheaf::dialect {
namespace {

constexpr int kRetryAfterSeconds = 5;

ErrorObject make(int status, std::string_view type, const Error& error, std::string_view otherwise) {
    return {.status = status,
            .type = std::string(type),
            .message = error.message.empty() ? std::string(otherwise) : error.message,
            .param = error.field};
}

ErrorObject make_retryable(int status, std::string_view type, const Error& error,
                           std::string_view otherwise) {
    ErrorObject object = make(status, type, error, otherwise);
    object.retry_after_s = kRetryAfterSeconds;
    return object;
}

void write_or_null(jsonl::Writer& json, std::string_view name, std::string_view text) {
    if (text.empty())
        json.member_null(name);
    else
        json.member(name, text);
}

}  // namespace

ErrorObject to_error_object(const Error& error) {
    constexpr std::string_view kInvalid = "invalid_request_error";
    constexpr std::string_view kServer = "server_error";
    switch (error.code) {
        case ErrorCode::invalid:
            return make(400, kInvalid, error, "The request is not valid.");
        case ErrorCode::not_found:
            return make(404, kInvalid, error, "There is no such thing.");
        case ErrorCode::conflict:
            return make(409, kInvalid, error, "Its state forbids this.");
        case ErrorCode::too_large:
            return make(413, kInvalid, error, "The body is too large.");
        case ErrorCode::exhausted:
            return make_retryable(429, "rate_limit_error", error, "Too many requests.");
        case ErrorCode::denied:
            return make(403, "permission_error", error, "This is not allowed.");
        case ErrorCode::no_space:
        case ErrorCode::unavailable:
            return make_retryable(503, kServer, error, "The server cannot do this now; try again.");
        case ErrorCode::canceled:
            return make(503, kServer, error, "The call was canceled.");
        case ErrorCode::timed_out:
            return make(504, kServer, error, "The deadline of this call has passed.");
        case ErrorCode::corrupt:
        case ErrorCode::internal:
            break;
    }
    // The cause is in the log; what it says is not for clients.
    return {
        .status = 500, .type = std::string(kServer), .message = "Something went wrong inside the server."};
}

std::string render_error(const ErrorObject& error) {
    jsonl::Writer json;
    json.open_object().key("error").open_object().member("message", error.message);
    json.member("type", error.type);
    write_or_null(json, "param", error.param);
    write_or_null(json, "code", error.code);
    json.close_object().close_object();
    return json.take();
}

http::Response to_response(const ErrorObject& error) {
    http::Response response = json_response(error.status, render_error(error));
    if (error.retry_after_s) response.headers.add("Retry-After", std::to_string(*error.retry_after_s));
    return response;
}

http::Response json_response(int status, std::string body) {
    http::Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

void add_request_id(http::Response& response) {
    std::array<unsigned char, 16> random{};
    fill_random(random.data(), random.size());
    response.headers.add("x-request-id", "req_" + to_hex(random));
}

}  // namespace sheaf::dialect
