#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace model_server {

struct HttpRequest {
    std::string_view method;
    std::string_view path;
    std::string_view body;
    std::size_t bytes = 0;  // of head and body
    bool closes = false;
};

enum class ParseState { whole, partial, wants_continue, malformed, too_large };

// Reads the first request of `input`, which may hold more, or less. A body must come with its length.
// `found` is set when the state is whole, and looks into `input`.
ParseState parse_request(std::string_view input, HttpRequest& found);

}  // namespace model_server
