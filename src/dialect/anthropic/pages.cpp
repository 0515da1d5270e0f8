#include "dialect/anthropic/pages.h"

#include <charconv>
#include <string_view>

namespace sheaf::dialect::anthropic {
namespace {

constexpr std::uint32_t kLimitMax = 1000;

Checked<std::uint32_t> read_limit(std::string_view text) {
    std::uint32_t limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error == std::errc::invalid_argument || end != text.data() + text.size())
        return refuse("limit: Input should be a valid integer");
    if (error != std::errc{} || limit < 1 || limit > kLimitMax)
        return refuse("limit: Input should be from 1 to 1000");
    return limit;
}

void write_id(jsonl::Writer& json, std::string_view name, std::string_view id) {
    if (id.empty())
        json.member_null(name);
    else
        json.member(name, id);
}

}  // namespace

Checked<PageRequest> read_page(const http::Request& request) {
    PageRequest page;
    if (const auto text = request.parameter("limit")) {
        const auto limit = read_limit(*text);
        if (!limit) return std::unexpected(limit.error());
        page.limit = *limit;
    }
    page.after_id = request.parameter("after_id").value_or("");
    page.before_id = request.parameter("before_id").value_or("");
    return page;
}

void write_page_end(jsonl::Writer& json, const PageEnd& end) {
    json.member("has_more", end.has_more);
    write_id(json, "first_id", end.first_id);
    write_id(json, "last_id", end.last_id);
}

}  // namespace sheaf::dialect::anthropic
