#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "http/message.h"

namespace sheaf::dialect {

// An error answer as OpenAI's API tells it, and those that took its form over:
// {"error":{"message":…,"type":…,"param":…,"code":…}}, with all four members always there.
struct ErrorObject {
    int status = 500;
    std::string type;
    std::string message;
    std::string code = {};   // empty: null
    std::string param = {};  // the path of the first wrong value; empty: null
    std::optional<int> retry_after_s = std::nullopt;
};

// What `error` of a service or of the request's body means. Unavailable parts and full disks ask for a retry.
ErrorObject to_error_object(const Error& error);

std::string render_error(const ErrorObject& error);
http::Response to_response(const ErrorObject& error);

http::Response json_response(int status, std::string body);
// x-request-id: "req_" and 32 hex digits, of which no two are the same.
void add_request_id(http::Response& response);

}  // namespace sheaf::dialect
