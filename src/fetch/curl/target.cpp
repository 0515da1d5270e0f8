#include "fetch/curl/target.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>

#include <curl/curl.h>

namespace sheaf::fetch {
namespace {

constexpr std::size_t kUrlBytesMax = 8192;
constexpr std::size_t kHostBytesMax = 253;

struct FreeUrl {
    void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (::curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
    std::string copy(text);
    ::curl_free(text);
    return copy;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_' ||
           c == '.';
}

// What resolvers may take for an IPv4 address in one of its many spellings.
bool ends_in_a_number(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    const auto dot = host.rfind('.');
    const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
    if (last.empty()) return true;
    if (last.starts_with("0x") || last.starts_with("0X")) return true;
    return std::ranges::all_of(last, is_digit);
}

std::string_view authority_of(std::string_view url) {
    const auto start = url.find("://");
    if (start == std::string_view::npos) return {};
    url.remove_prefix(start + 3);
    return url.substr(0, url.find_first_of("/?#"));
}

std::unexpected<Error> refuse(std::string_view why) {
    return fail(ErrorCode::invalid, "The URL is not valid: " + std::string(why) + ".");
}

}  // namespace

Result<Target> parse_target(const std::string& url) {
    if (url.size() > kUrlBytesMax) return refuse("it is too long");
    const auto is_forbidden = [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '\\'; };
    if (std::ranges::any_of(url, is_forbidden))
        return refuse("it has a space, control character or backslash");
    const std::string_view authority = authority_of(url);
    if (authority.empty()) return refuse("it is no absolute http or https URL");
    if (authority.find('@') != std::string_view::npos) return refuse("it carries a user name");
    if (authority.find('%') != std::string_view::npos) return refuse("its host is encoded");

    const std::unique_ptr<CURLU, FreeUrl> parsed(::curl_url());
    if (!parsed) return fail(ErrorCode::internal, "There is no memory for a URL.");
    if (const CURLUcode code =
            ::curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER | CURLU_URLENCODE);
        code != CURLUE_OK) {
        return refuse(::curl_url_strerror(code));
    }
    const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https") return refuse("only http and https are fetched");
    if (!part_of(parsed.get(), CURLUPART_ZONEID).empty()) return refuse("its host has a zone");

    Target target{.url = part_of(parsed.get(), CURLUPART_URL), .host = part_of(parsed.get(), CURLUPART_HOST)};
    const std::string port = part_of(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    const auto read = std::from_chars(port.data(), port.data() + port.size(), target.port);
    if (read.ec != std::errc{} || read.ptr != port.data() + port.size())
        return refuse("its port is no number");

    if (target.host.starts_with('[') && target.host.ends_with(']')) {
        target.host = target.host.substr(1, target.host.size() - 2);
        target.address = parse_ip(target.host);
        if (!target.address) return refuse("its host is no address");
        return target;
    }
    if (target.host.empty() || target.host.size() > kHostBytesMax ||
        !std::ranges::all_of(target.host, is_name_character)) {
        return refuse("its host is no name");
    }
    target.address = parse_ip(target.host);
    if (!target.address && ends_in_a_number(target.host)) return refuse("its host is no address");
    return target;
}

}  // namespace sheaf::fetch
