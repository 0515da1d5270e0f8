#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dialect/openai/errors.h"
#include "dialect/openai/ids.h"
#include "http/message.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {

struct LimitRange {
    std::uint32_t fallback = 20;
    std::uint32_t max = 100;
};
// The query parameter `limit`. Absent or 0: the fallback. Anything else that is no whole number up to the
// most is refused.
Checked<std::uint32_t> read_limit(const http::Request& request, LimitRange range);

std::int64_t unix_seconds(Timestamp time);

// The envelope of lists. The SDKs ask for the page after the last row while `has_more`.
template <class Row>
std::string render_list(const std::vector<Row>& rows, bool has_more,
                        void (*write_row)(jsonl::Writer&, const Row&)) {
    jsonl::Writer json;
    json.open_object().member("object", "list").key("data").open_array();
    for (const Row& row : rows) write_row(json, row);
    json.close_array();
    if (rows.empty()) {
        json.member_null("first_id").member_null("last_id");
    } else {
        json.member("first_id", render_id(rows.front().id)).member("last_id", render_id(rows.back().id));
    }
    json.member("has_more", has_more).close_object();
    return json.take();
}

}  // namespace sheaf::dialect::openai
