#include "http/origin.h"

#include <algorithm>

#include <fmt/format.h>

#include "http/syntax.h"

namespace sheaf::http {
namespace {

bool is_host(std::string_view host) {
    return !host.empty() && std::ranges::all_of(host, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte < 0x7F && !std::string_view("/?#@\\\"<>[]%").contains(c);
    });
}

}  // namespace

Result<Origin> parse_origin(std::string_view url) {
    const auto refuse = [url](std::string_view why) {
        return fail(ErrorCode::invalid, fmt::format("\"{}\" is not the address of a server: {}.", url, why));
    };
    Origin origin;
    const std::size_t scheme_end = url.find("://");
    const std::string_view scheme = url.substr(0, scheme_end);
    if (scheme_end == std::string_view::npos) return refuse("it does not start with http:// or https://");
    origin.tls = equals_ignoring_case(scheme, "https");
    if (!origin.tls && !equals_ignoring_case(scheme, "http")) return refuse("only http and https are spoken");

    std::string_view authority = url.substr(scheme_end + 3);
    authority = authority.substr(0, authority.find_first_of("/?#"));
    std::string_view host = authority;
    std::string_view port;
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos) return refuse("a bracket is missing");
        host = authority.substr(1, end - 1);
        const std::string_view rest = authority.substr(end + 1);
        if (!rest.empty() && !rest.starts_with(':')) return refuse("the port is malformed");
        if (!rest.empty()) port = rest.substr(1);
    } else if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
        host = authority.substr(0, colon);
        port = authority.substr(colon + 1);
    }
    if (!is_host(host)) return refuse("the host is missing or malformed");
    if (!port.empty()) {
        const auto number = parse_decimal(port);
        if (!number || *number == 0 || *number > 65535) return refuse("the port is malformed");
    }
    origin.host = host;
    origin.port = !port.empty() ? std::string(port) : origin.tls ? "443" : "80";
    origin.authority = authority;
    return origin;
}

}  // namespace sheaf::http
