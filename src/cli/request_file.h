#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/failure.h"

// Files of requests that were written for a vendor's batch API; no I/O here.
namespace sheaf::cli {

enum class RequestDialect : std::uint8_t { openai, anthropic, sail };
std::optional<RequestDialect> parse_request_dialect(std::string_view word);

struct RequestFile {
    RequestDialect dialect = RequestDialect::openai;
    std::string body;      // the lines for OpenAI, else the body of the call that creates the batch
    std::string endpoint;  // of OpenAI: where the requests go, such as /v1/responses
    std::size_t items = 0;
};

// Reads a file of one of these forms; `dialect` decides where the requests' own form does not:
//   lines {"custom_id","method","url","body"}: OpenAI's;
//   {"requests":[{"custom_id","params"}…]}, the list alone, or its elements as lines: Anthropic's when the
//   first params have messages, Sail's when they have input.
// Each item is checked by the server.
Outcome<RequestFile> read_request_file(std::string text, std::optional<RequestDialect> dialect);

// Whether the text is of such a form, and not a request for analyses of videos.
bool is_request_file(std::string_view text);

}  // namespace sheaf::cli
