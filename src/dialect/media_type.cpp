#include "dialect/media_type.h"

#include <algorithm>

namespace sheaf::dialect {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes a quoted string off the front of `rest`, which begins with its opening quote.
std::string take_quoted(std::string_view& rest) {
    std::string value;
    std::size_t at = 1;
    for (; at < rest.size() && rest[at] != '"'; ++at) {
        // Only quotes and backslashes are ever escaped; others send Windows paths as they are.
        const bool escape =
            rest[at] == '\\' && at + 1 < rest.size() && (rest[at + 1] == '"' || rest[at + 1] == '\\');
        if (escape) ++at;
        value.push_back(rest[at]);
    }
    rest.remove_prefix(std::min(at + 1, rest.size()));
    return value;
}

}  // namespace

std::string media_type(std::string_view header) {
    return lower(trim(header.substr(0, header.find(';'))));
}

std::optional<std::string> header_parameter(std::string_view header, std::string_view name) {
    const auto first = header.find(';');
    if (first == std::string_view::npos) return std::nullopt;
    std::string_view rest = header.substr(first);
    while (rest.starts_with(';')) {
        rest.remove_prefix(1);
        const auto equals = rest.find_first_of("=;");
        if (equals == std::string_view::npos) return std::nullopt;
        const std::string key = lower(trim(rest.substr(0, equals)));
        if (rest[equals] == ';') {
            rest.remove_prefix(equals);
            continue;
        }
        rest.remove_prefix(equals + 1);
        while (rest.starts_with(' ') || rest.starts_with('\t')) rest.remove_prefix(1);
        std::string value;
        if (rest.starts_with('"')) {
            value = take_quoted(rest);
        } else {
            value = trim(rest.substr(0, rest.find(';')));
        }
        if (key == name) return value;
        rest.remove_prefix(std::min(rest.find(';'), rest.size()));
    }
    return std::nullopt;
}

}  // namespace sheaf::dialect
