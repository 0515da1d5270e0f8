#include "http_parse.h"

#include <charconv>

#include <strings.h>

namespace model_server {
namespace {

constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kBodyBytesMax = 256U << 20;

bool is_same(std::string_view name, std::string_view other) {
    return name.size() == other.size() && strncasecmp(name.data(), other.data(), name.size()) == 0;
}

struct Head {
    std::size_t content_length = 0;
    bool closes = false;
    bool wants_continue = false;
    bool is_chunked = false;
};

bool read_header(std::string_view line, Head& head) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    const auto name = line.substr(0, colon);
    auto value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    switch (name.size()) {
        case 6:
            if (is_same(name, "expect")) head.wants_continue = true;
            break;
        case 10:
            if (is_same(name, "connection") && is_same(value, "close")) head.closes = true;
            break;
        case 14:
            if (is_same(name, "content-length"))
                return std::from_chars(value.data(), value.data() + value.size(), head.content_length).ec ==
                       std::errc();
            break;
        case 17:
            if (is_same(name, "transfer-encoding")) head.is_chunked = true;
            break;
        default:
            break;
    }
    return true;
}

}  // namespace

ParseState parse_request(std::string_view input, HttpRequest& found) {
    const auto head_end = input.find("\r\n\r\n");
    if (head_end == std::string_view::npos)
        return input.size() > kHeadBytesMax ? ParseState::too_large : ParseState::partial;
    const auto first = input.substr(0, input.find("\r\n"));
    const auto method_end = first.find(' ');
    const auto path_end = first.rfind(' ');
    if (method_end == std::string_view::npos || path_end <= method_end) return ParseState::malformed;
    Head head;
    for (auto at = first.size() + 2; at < head_end;) {
        const auto end = input.find("\r\n", at);
        if (!read_header(input.substr(at, end - at), head)) return ParseState::malformed;
        at = end + 2;
    }
    if (head.is_chunked) return ParseState::malformed;
    if (head.content_length > kBodyBytesMax) return ParseState::too_large;
    const auto body_at = head_end + 4;
    if (input.size() - body_at < head.content_length)
        return head.wants_continue && input.size() == body_at ? ParseState::wants_continue
                                                              : ParseState::partial;
    auto path = first.substr(method_end + 1, path_end - method_end - 1);
    path = path.substr(0, path.find('?'));
    found = {.method = first.substr(0, method_end),
             .path = path,
             .body = input.substr(body_at, head.content_length),
             .bytes = body_at + head.content_length,
             .closes = head.closes};
    return ParseState::whole;
}

}  // namespace model_server
