#include "dialect/openai/paging.h"

#include <charconv>

#include <fmt/format.h>

namespace sheaf::dialect::openai {

Checked<std::uint32_t> read_limit(const http::Request& request, LimitRange range) {
    const auto text = request.parameter("limit");
    if (!text) return range.fallback;
    std::uint32_t limit = 0;
    const char* const end = text->data() + text->size();
    const auto read = std::from_chars(text->data(), end, limit);
    if (read.ec != std::errc{} || read.ptr != end || limit > range.max) {
        return refuse(
            fmt::format("Invalid value for 'limit': it must be a whole number from 1 to {}.", range.max),
            "limit", code::kInvalidValue);
    }
    return limit == 0 ? range.fallback : limit;
}

std::int64_t unix_seconds(Timestamp time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace sheaf::dialect::openai
