#include "body_scan.h"

#include <array>
#include <charconv>
#include <span>

#include <string.h>  // NOLINT(modernize-deprecated-headers): memmem

namespace model_server {
namespace {

// memmem, since std::string_view::find looks at every occurrence of the first byte.
std::size_t find(std::string_view text, std::string_view what, std::size_t from = 0) {
    if (from >= text.size()) return std::string_view::npos;
    const void* found = memmem(text.data() + from, text.size() - from, what.data(), what.size());
    return found == nullptr ? std::string_view::npos
                            : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::optional<std::uint64_t> read_number(std::string_view text) {
    std::uint64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc())
        return std::nullopt;
    return number;
}

bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.';
}

std::string_view skip_to_value(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == ':')) text.remove_prefix(1);
    return text;
}

// The end of the string that begins behind a quote: where its closing quote is.
std::size_t string_end(std::string_view text, std::size_t at) {
    for (at = find(text, "\"", at); at != std::string_view::npos; at = find(text, "\"", at + 1)) {
        std::size_t slashes = 0;
        while (slashes < at && text[at - 1 - slashes] == '\\') ++slashes;
        if (slashes % 2 == 0) return at;
    }
    return text.size();
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
    for (const auto other : names)
        if (name == other) return true;
    return false;
}

// Adds the string values of members with these names, in order.
void add_texts(std::string_view body, std::span<const std::string_view> names, std::string& prompt) {
    for (auto at = find(body, "\""); at != std::string_view::npos; at = find(body, "\"", at)) {
        const auto end = string_end(body, at + 1);
        const auto name = body.substr(at + 1, end - at - 1);
        at = end + 1;
        if (at >= body.size()) return;
        const auto rest = skip_to_value(body.substr(at));
        const bool is_name = body[at] == ':' || body[at] == ' ';
        if (!is_name || !rest.starts_with('"') || !is_one_of(name, names)) continue;
        const auto begin = body.size() - rest.size() + 1;
        const auto value_end = string_end(body, begin);
        prompt.append(body.substr(begin, value_end - begin));
        at = value_end + 1;
    }
}

}  // namespace

std::optional<std::uint64_t> find_member_number(std::string_view body, std::string_view name) {
    const auto at = find(body, name);
    if (at == std::string_view::npos || at == 0 || body[at - 1] != '"') return std::nullopt;
    const auto rest = body.substr(at + name.size());
    return rest.starts_with('"') ? read_number(skip_to_value(rest.substr(1))) : std::nullopt;
}

std::optional<std::uint64_t> find_hint_number(std::string_view body, std::string_view name) {
    const auto at = find(body, name);
    if (at == std::string_view::npos) return std::nullopt;
    const auto rest = body.substr(at + name.size());
    return rest.starts_with('=') ? read_number(rest.substr(1)) : std::nullopt;
}

std::string_view find_hint_id(std::string_view body) {
    for (auto at = find(body, "id="); at != std::string_view::npos; at = find(body, "id=", at + 3)) {
        if (at == 0 || (body[at - 1] != ' ' && body[at - 1] != '"')) continue;
        auto end = at + 3;
        while (end < body.size() && is_word(body[end])) ++end;
        return body.substr(at + 3, end - at - 3);
    }
    return {};
}

std::string prompt_of(std::string_view body) {
    static constexpr std::array<std::string_view, 2> kFirst{"system", "instructions"};
    static constexpr std::array<std::string_view, 3> kThen{"content", "text", "input"};
    std::string prompt;
    add_texts(body, kFirst, prompt);
    add_texts(body, kThen, prompt);
    return prompt;
}

}  // namespace model_server
