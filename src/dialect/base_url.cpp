#include "dialect/base_url.h"

#include <algorithm>

#include <fmt/format.h>

namespace sheaf::dialect {
namespace {

constexpr std::size_t kHostBytesMax = 255;
constexpr std::size_t kPrefixBytesMax = 1024;

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// A host and port as a URL may name it: what a client sends is put into URLs for that client.
bool is_host(std::string_view text) {
    return !text.empty() && text.size() <= kHostBytesMax && std::ranges::all_of(text, [](char c) {
        return is_alphanumeric(c) || std::string_view(".-:[]_").contains(c);
    });
}

std::string_view without_slashes_at_end(std::string_view text) {
    while (text.ends_with('/')) text.remove_suffix(1);
    return text;
}

// "/a/b" of plain segments; some clients refuse URLs with dots for segments, or take braces for templates.
bool is_prefix(std::string_view path) {
    if (path.size() > kPrefixBytesMax) return false;
    while (!path.empty()) {
        if (!path.starts_with('/')) return false;
        path.remove_prefix(1);
        const std::string_view segment = path.substr(0, path.find('/'));
        const bool is_plain = std::ranges::all_of(
            segment, [](char c) { return is_alphanumeric(c) || std::string_view(".-_~").contains(c); });
        if (segment.empty() || segment == "." || segment == ".." || !is_plain) return false;
        path.remove_prefix(segment.size());
    }
    return true;
}

}  // namespace

std::string base_url(const http::Request& request, std::string_view public_url) {
    if (!public_url.empty()) return std::string(without_slashes_at_end(public_url));
    const std::string_view host = request.headers.find("host").value_or("");
    const std::string_view scheme =
        request.headers.find("x-forwarded-proto").value_or("").starts_with("https") ? "https" : "http";
    const std::string_view prefix =
        without_slashes_at_end(request.headers.find("x-forwarded-prefix").value_or(""));
    return fmt::format("{}://{}{}", scheme, is_host(host) ? host : std::string_view("localhost"),
                       is_prefix(prefix) ? prefix : std::string_view());
}

}  // namespace sheaf::dialect
