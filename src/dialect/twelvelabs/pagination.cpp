#include "dialect/twelvelabs/pagination.h"

#include <charconv>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::uint32_t kPageLimitMax = 50;

Checked<std::uint32_t> read_number(const http::Request& request, std::string_view name,
                                   std::uint32_t otherwise, std::uint32_t most) {
    const auto text = request.parameter(name);
    if (!text) return otherwise;
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc{} || end != text->data() + text->size() || number < 1 || number > most) {
        return refuse(400, code::kParameterInvalid,
                      fmt::format("{} must be an integer from 1 to {}.", name, most), std::string(name));
    }
    return number;
}

}  // namespace

store::PageRange PageRequest::range() const {
    const std::uint64_t offset = std::uint64_t{page - 1} * limit;
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    return {static_cast<std::uint32_t>(std::min(offset, kMost)), limit};
}

Checked<PageRequest> read_page(const http::Request& request) {
    const auto page = read_number(request, "page", 1, std::numeric_limits<std::uint32_t>::max());
    if (!page) return std::unexpected(page.error());
    const auto limit = read_number(request, "page_limit", 10, kPageLimitMax);
    if (!limit) return std::unexpected(limit.error());
    return PageRequest{*page, *limit};
}

void write_page_info(jsonl::Writer& json, const PageRequest& page, std::uint64_t total) {
    json.key("page_info").open_object().member("page", page.page).member("limit_per_page", page.limit);
    json.member("total_page", (total + page.limit - 1) / page.limit)
        .member("total_results", total)
        .close_object();
}

std::vector<std::string> read_values(const http::Request& request, std::string_view name) {
    std::vector<std::string> values;
    for (const auto& [key, text] : request.query) {
        if (key != name) continue;
        for (std::size_t at = 0; at <= text.size();) {
            const std::size_t comma = std::min(text.find(',', at), text.size());
            if (comma > at) values.push_back(text.substr(at, comma - at));
            at = comma + 1;
        }
    }
    return values;
}

Checked<bool> read_flag(const http::Request& request, std::string_view name) {
    const auto text = request.parameter(name);
    if (!text || *text == "false") return false;
    if (*text == "true") return true;
    return refuse(400, code::kParameterInvalid, fmt::format("{} must be true or false.", name),
                  std::string(name));
}

}  // namespace sheaf::dialect::twelvelabs
