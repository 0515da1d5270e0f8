#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"
#include "http/request_head.h"

namespace sheaf::http {

std::string_view reason_phrase(int status);
// 1xx, 204 and 304 never have one.
bool status_allows_body(int status);

struct ResponseHeadOptions {
    bool keep_alive = true;
    bool say_keep_alive = false;  // to HTTP/1.0, where closing is the rule
    bool chunked = false;
    std::optional<std::uint64_t>
        content_length;  // neither: the body ends with the connection, or there is none
};

// Appends status line, fields and the empty line. Date, length and connection are ours; a line break in a
// value is written as a blank.
void append_response_head(std::string& out, int status, const Headers& headers,
                          const ResponseHeadOptions& options);

struct ResponseHead {
    int status = 0;
    Headers headers;
    Framing framing;
    bool keep_alive = true;
};

// A head received from a server, with its empty line. `request_method` decides with the status whether a body
// follows. Errors are unavailable: such an answer is no answer.
Result<ResponseHead> parse_response_head(std::string_view head, std::string_view request_method);

}  // namespace sheaf::http
