#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "http/message.h"

namespace sheaf::http {

// How long a body is, as its head says.
struct Framing {
    enum class Kind { none, length, chunked, until_close };
    Kind kind = Kind::none;
    std::uint64_t bytes = 0;  // for `length`
};

struct RequestHead {
    std::string method;
    std::string target;  // origin-form, also when it was sent in absolute-form
    int minor_version = 1;
    Headers headers;
    Framing framing;
    bool keep_alive = true;
    bool expects_continue = false;
};

// The one answer to a message that we do not accept; the connection is closed behind it.
struct Refusal {
    int status = 400;
    std::string_view code;
    std::string_view message;
};

inline constexpr std::size_t kTargetBytesMax = 16 * 1024;

// `head` with its empty line, as HeadScan found it: lines end in CRLF.
std::expected<RequestHead, Refusal> parse_request_head(std::string_view head);

}  // namespace sheaf::http
