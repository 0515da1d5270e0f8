#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/twelvelabs/errors.h"
#include "http/message.h"
#include "jsonl/writer.h"
#include "service/batches.h"

namespace sheaf::dialect::twelvelabs {

// A page that was asked for; both count from 1.
struct PageRequest {
    std::uint32_t page = 1;
    std::uint32_t limit = 10;
    // Pages whose offset does not fit are past every end; the range is then empty rows far away.
    store::PageRange range() const;
};

// `page` from 1 (default 1) and `page_limit` from 1 to 50 (default 10).
Checked<PageRequest> read_page(const http::Request& request);

// The member `page_info`.
void write_page_info(jsonl::Writer& json, const PageRequest& page, std::uint64_t total);

// All values of a repeatable parameter: name=a&name=b, also name=a,b. Empty ones are left out.
std::vector<std::string> read_values(const http::Request& request, std::string_view name);

// "true" or "false"; absent is false.
Checked<bool> read_flag(const http::Request& request, std::string_view name);

}  // namespace sheaf::dialect::twelvelabs
