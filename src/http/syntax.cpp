#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sheaf::http {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr std::array<bool, 256> kTokenCharacters = [] {
    std::array<bool, 256> table{};
    for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
    for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
    return table;
}();

bool is_field_value(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7F;
    });
}

}  // namespace

bool equals_ignoring_case(std::string_view left, std::string_view right) {
    return left.size() == right.size() &&
           std::ranges::equal(left, right, [](char a, char b) { return lower(a) == lower(b); });
}

bool is_token(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return kTokenCharacters[static_cast<unsigned char>(c)]; });
}

std::string_view trim_blanks(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
    return number;
}

bool list_contains(std::string_view list, std::string_view name) {
    while (true) {
        const std::size_t comma = list.find(',');
        if (equals_ignoring_case(trim_blanks(list.substr(0, comma)), name)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
}

HeadScan::State HeadScan::scan(std::string_view text) {
    while (true) {
        const std::size_t end = text.find('\n', at_);
        if (end == std::string_view::npos) {
            at_ = text.size();
            return State::incomplete;
        }
        if (end == 0 || text[end - 1] != '\r') return State::bad_line_end;
        const bool empty_line = end - 1 == line_start_;
        at_ = line_start_ = end + 1;
        if (empty_line) return State::complete;
    }
}

std::optional<Headers> parse_fields(std::string_view lines, std::size_t fields_max) {
    Headers headers;
    for (std::size_t count = 0; !lines.empty(); ++count) {
        if (count == fields_max) return std::nullopt;
        const std::size_t end = lines.find("\r\n");
        const std::string_view line = lines.substr(0, end);
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return std::nullopt;
        const std::string_view value = trim_blanks(line.substr(colon + 1));
        if (!is_field_value(value)) return std::nullopt;
        headers.add(std::string(line.substr(0, colon)), std::string(value));
        lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
    }
    return headers;
}

}  // namespace sheaf::http
