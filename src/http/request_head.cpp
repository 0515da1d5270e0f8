#include "http/request_head.h"

#include <algorithm>
#include <optional>

#include "http/syntax.h"

namespace sheaf::http {
namespace {

using Refused = std::unexpected<Refusal>;

Refused bad(std::string_view message) {
    return Refused({400, "bad_request", message});
}

std::expected<void, Refusal> parse_version(std::string_view version, RequestHead& head) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' || !digit(version[5]) ||
        !digit(version[7])) {
        return bad("The request line does not end in an HTTP version.");
    }
    if (version[5] != '1')
        return Refused({505, "http_version_not_supported", "Only HTTP/1.0 and HTTP/1.1 are spoken here."});
    head.minor_version = version[7] - '0';
    return {};
}

// Origin-form out of whatever form it was sent in.
std::optional<std::string_view> to_origin_form(std::string_view target, std::string_view method) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        target.remove_prefix(scheme.size());
        const std::size_t path = target.find_first_of("/?");
        if (path == 0 || target.empty()) return std::nullopt;
        target.remove_prefix(std::min(path, target.size()));
        return target.empty() ? "/" : target;
    }
    if (target == "*" && method == "OPTIONS") return target;
    if (!target.starts_with('/')) return std::nullopt;
    return target;
}

std::expected<void, Refusal> parse_request_line(std::string_view line, RequestHead& head) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return bad("The request line needs a method, a target and a version.");
    const std::string_view method = line.substr(0, first);
    if (!is_token(method) || method.size() > 32) return bad("The request's method is not a token.");
    if (auto version = parse_version(line.substr(last + 1), head); !version) return version;
    const std::string_view target = line.substr(first + 1, last - first - 1);
    if (target.size() > kTargetBytesMax)
        return Refused({414, "uri_too_long", "The request's target is too long."});
    const bool printable = std::ranges::all_of(target, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte != 0x7F;
    });
    auto origin_form = to_origin_form(target, method);
    if (!printable || !origin_form) return bad("The request's target is malformed.");
    head.method = method;
    if (origin_form->starts_with('?')) head.target = "/";
    head.target += origin_form->substr(0, origin_form->find('#'));
    return {};
}

// What the fields that frame the message and rule the connection say, each at most once.
struct Gathered {
    std::optional<std::string_view> content_length, transfer_encoding, host, expect;
    bool close = false;
    bool keep_alive = false;
};

std::expected<Gathered, Refusal> gather(const Headers& headers) {
    Gathered found;
    for (const auto& [name, value] : headers.fields()) {
        if (equals_ignoring_case(name, "content-length")) {
            if (found.content_length) return bad("Content-Length stands more than once.");
            found.content_length = value;
        } else if (equals_ignoring_case(name, "transfer-encoding")) {
            if (found.transfer_encoding) return bad("Transfer-Encoding stands more than once.");
            found.transfer_encoding = value;
        } else if (equals_ignoring_case(name, "host")) {
            if (found.host) return bad("Host stands more than once.");
            found.host = value;
        } else if (equals_ignoring_case(name, "expect")) {
            found.expect = value;
        } else if (equals_ignoring_case(name, "connection")) {
            found.close = found.close || list_contains(value, "close");
            found.keep_alive = found.keep_alive || list_contains(value, "keep-alive");
        }
    }
    return found;
}

std::expected<Framing, Refusal> decide_framing(const Gathered& found, int minor_version) {
    if (found.transfer_encoding) {
        if (found.content_length) return bad("Content-Length and Transfer-Encoding exclude each other.");
        if (minor_version == 0) return bad("HTTP/1.0 has no Transfer-Encoding.");
        if (!equals_ignoring_case(*found.transfer_encoding, "chunked")) {
            return Refused({501, "transfer_encoding_not_supported",
                            "The only transfer coding understood here is chunked."});
        }
        return Framing{Framing::Kind::chunked, 0};
    }
    if (!found.content_length) return Framing{};
    const auto bytes = parse_decimal(*found.content_length);
    if (!bytes) return bad("Content-Length is not a number.");
    return Framing{*bytes == 0 ? Framing::Kind::none : Framing::Kind::length, *bytes};
}

bool is_host(std::string_view host) {
    return host.find_first_of(" \t/?#@\\\"<>,") == std::string_view::npos;
}

}  // namespace

std::expected<RequestHead, Refusal> parse_request_head(std::string_view text) {
    RequestHead head;
    const std::size_t line_end = text.find("\r\n");
    if (line_end == std::string_view::npos || text.size() < line_end + 4)
        return bad("The request has no head.");
    if (auto line = parse_request_line(text.substr(0, line_end), head); !line) return Refused(line.error());

    const std::string_view lines = text.substr(line_end + 2, text.size() - line_end - 4);
    if (static_cast<std::size_t>(std::ranges::count(lines, '\n')) > kFieldsMax) {
        return Refused({431, "request_header_fields_too_large", "The request has too many header fields."});
    }
    auto headers = parse_fields(lines, kFieldsMax);
    if (!headers) return bad("A header field is malformed.");
    head.headers = std::move(*headers);

    const auto found = gather(head.headers);
    if (!found) return Refused(found.error());
    if (!found->host && head.minor_version > 0) return bad("The Host header is missing.");
    if (found->host && !is_host(*found->host)) return bad("The Host header is malformed.");
    const auto framing = decide_framing(*found, head.minor_version);
    if (!framing) return Refused(framing.error());
    head.framing = *framing;
    head.keep_alive = !found->close && (head.minor_version > 0 || found->keep_alive);
    if (found->expect && head.minor_version > 0) {
        if (!equals_ignoring_case(*found->expect, "100-continue")) {
            return Refused(
                {417, "expectation_failed", "The only expectation understood here is 100-continue."});
        }
        head.expects_continue = head.framing.kind != Framing::Kind::none;
    }
    return head;
}

}  // namespace sheaf::http
