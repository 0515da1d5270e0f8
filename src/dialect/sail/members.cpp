#include "dialect/sail/members.h"

#include <algorithm>

#include "jsonl/document.h"
#include "jsonl/splitter.h"

namespace sheaf::dialect::sail {
namespace {

bool is_plain(char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

constexpr std::size_t kUsual = 8;

}  // namespace

Result<Members> Members::of(std::string_view object) {
    Members members;
    members.members_.reserve(kUsual);
    const auto split =
        jsonl::for_each_member(object, [&](std::string_view name, std::string_view text) -> Result<> {
            members.members_.push_back({std::string(name), text});
            return {};
        });
    if (!split) return std::unexpected(split.error());
    return members;
}

std::optional<std::string_view> Members::find(std::string_view name) const {
    const auto found = std::ranges::find(members_, name, &Member::name);
    if (found == members_.end() || found->text == "null") return std::nullopt;
    return found->text;
}

std::optional<std::string> string_in(std::string_view text) {
    if (text.size() < 2 || text.front() != '"') return std::nullopt;
    // A parser for each short word would cost more than all else of a large batch.
    const std::string_view inside = text.substr(1, text.size() - 2);
    if (text.back() == '"' && std::ranges::all_of(inside, is_plain)) return std::string(inside);
    const auto document = jsonl::Document::parse(text);
    std::string_view decoded;
    if (!document || document->root().get(decoded) != simdjson::SUCCESS) return std::nullopt;
    return std::string(decoded);
}

}  // namespace sheaf::dialect::sail
