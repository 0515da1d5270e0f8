#pragma once

#include <cstdint>
#include <string>

#include "dialect/anthropic/errors.h"
#include "http/message.h"
#include "jsonl/writer.h"

// Pages of lists: beside one of their rows, whose id is the cursor.
namespace sheaf::dialect::anthropic {

struct PageRequest {
    std::uint32_t limit = 20;
    std::string after_id;   // the rows right behind it, or empty
    std::string before_id;  // the rows right before it, or empty
};
// The query parameters limit (1 to 1000), after_id and before_id.
Checked<PageRequest> read_page(const http::Request& request);

// The members that follow "data"; empty ids are null.
struct PageEnd {
    bool has_more = false;
    std::string first_id;
    std::string last_id;
};
void write_page_end(jsonl::Writer& json, const PageEnd& end);

}  // namespace sheaf::dialect::anthropic
