#include "dialect/sheaf/errors.h"

#include "jsonl/writer.h"

namespace sheaf::dialect::native {
namespace {

constexpr int kRetryAfterSeconds = 5;

int status_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid:
            return 400;
        case ErrorCode::denied:
            return 401;
        case ErrorCode::not_found:
            return 404;
        case ErrorCode::conflict:
            return 409;
        case ErrorCode::too_large:
            return 413;
        case ErrorCode::exhausted:
            return 429;
        case ErrorCode::no_space:
            return 507;
        case ErrorCode::unavailable:
        case ErrorCode::canceled:
            return 503;
        case ErrorCode::timed_out:
            return 504;
        case ErrorCode::corrupt:
        case ErrorCode::internal:
            break;
    }
    return 500;
}

http::Response respond(int status, std::string_view code, std::string_view message, std::string_view field) {
    jsonl::Writer json;
    json.open_object().key("error").open_object().member("code", code).member("message", message);
    if (!field.empty()) json.member("field", field);
    json.close_object().close_object();
    return json_response(status, json.take());
}

}  // namespace

http::Response to_response(const Error& error) {
    const int status = status_of(error.code);
    // One wording for all that is not found; and the cause of what went wrong inside is for the log.
    const std::string_view message = error.code == ErrorCode::not_found ? "There is no such batch."
                                     : status == 500 ? "Something went wrong inside the server."
                                                     : std::string_view(error.message);
    http::Response response = respond(status, to_string(error.code), message, error.field);
    if (status == 503 || status == 507)
        response.headers.add("Retry-After", std::to_string(kRetryAfterSeconds));
    return response;
}

http::Response to_response(int status, std::string_view code, std::string_view message) {
    return respond(status, code, message, {});
}

http::Response json_response(int status, std::string body) {
    http::Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = std::move(body);
    return response;
}

}  // namespace sheaf::dialect::native
