#include "http/response_head.h"

#include <array>
#include <ctime>
#include <iterator>

#include <fmt/format.h>

#include "http/syntax.h"

namespace sheaf::http {
namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT", written anew once a second.
std::string_view http_date() {
    thread_local std::time_t shown = -1;
    thread_local std::array<char, 40> text{};
    thread_local std::size_t length = 0;
    const std::time_t now = std::time(nullptr);
    if (now != shown) {
        std::tm parts{};
        ::gmtime_r(&now, &parts);
        length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        shown = now;
    }
    return {text.data(), length};
}

bool is_ours(std::string_view name) {
    for (const std::string_view own : {"date", "content-length", "transfer-encoding", "connection"}) {
        if (equals_ignoring_case(name, own)) return true;
    }
    return false;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    if (!is_token(name)) return;
    out += name;
    out += ": ";
    const std::size_t start = out.size();
    out += value;
    // Whatever a value is made of, it cannot begin another field.
    for (std::size_t i = start; i < out.size(); ++i) {
        const auto byte = static_cast<unsigned char>(out[i]);
        if ((byte < 0x20 && byte != '\t') || byte == 0x7F) out[i] = ' ';
    }
    out += "\r\n";
}

}  // namespace

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 416:
            return "Range Not Satisfiable";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        case 507:
            return "Insufficient Storage";
        case 529:
            return "Overloaded";
        default:
            return "Status";
    }
}

bool status_allows_body(int status) {
    return status >= 200 && status != 204 && status != 304;
}

void append_response_head(std::string& out, int status, const Headers& headers,
                          const ResponseHeadOptions& options) {
    if (status == 200)
        out += "HTTP/1.1 200 OK\r\nDate: ";
    else
        fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\nDate: ", status, reason_phrase(status));
    out += http_date();
    out += "\r\n";
    for (const auto& [name, value] : headers.fields()) {
        if (!is_ours(name)) append_field(out, name, value);
    }
    if (options.chunked) {
        out += "Transfer-Encoding: chunked\r\n";
    } else if (options.content_length) {
        out += "Content-Length: ";
        out += fmt::format_int(*options.content_length).c_str();
        out += "\r\n";
    }
    if (!options.keep_alive)
        out += "Connection: close\r\n";
    else if (options.say_keep_alive)
        out += "Connection: keep-alive\r\n";
    out += "\r\n";
}

namespace {

std::unexpected<Error> malformed(std::string_view what) {
    return fail(ErrorCode::unavailable, fmt::format("The server's answer is malformed: {}.", what));
}

Result<> parse_status_line(std::string_view line, ResponseHead& head, int& minor_version) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (line.size() < 12 || !line.starts_with("HTTP/1.") || !digit(line[7]) || line[8] != ' ') {
        return malformed("it does not start with an HTTP/1 status line");
    }
    if (line.size() > 12 && line[12] != ' ') return malformed("its status is no number of three digits");
    const auto status = parse_decimal(line.substr(9, 3));
    if (!status || *status < 100) return malformed("its status is no number of three digits");
    head.status = static_cast<int>(*status);
    minor_version = line[7] - '0';
    return {};
}

}  // namespace

Result<ResponseHead> parse_response_head(std::string_view text, std::string_view request_method) {
    ResponseHead head;
    const std::size_t line_end = text.find("\r\n");
    if (line_end == std::string_view::npos || text.size() < line_end + 4) return malformed("it has no head");
    int minor_version = 1;
    if (auto line = parse_status_line(text.substr(0, line_end), head, minor_version); !line) {
        return std::unexpected(line.error());
    }
    auto headers = parse_fields(text.substr(line_end + 2, text.size() - line_end - 4), kFieldsMax);
    if (!headers) return malformed("a header field is broken");
    head.headers = std::move(*headers);

    std::optional<std::string_view> length;
    std::optional<std::string_view> coding;
    bool close = minor_version == 0;
    for (const auto& [name, value] : head.headers.fields()) {
        if (equals_ignoring_case(name, "content-length")) {
            if (length && *length != value) return malformed("it has two lengths");
            length = value;
        } else if (equals_ignoring_case(name, "transfer-encoding")) {
            if (coding) return malformed("it has two transfer codings");
            coding = value;
        } else if (equals_ignoring_case(name, "connection")) {
            if (list_contains(value, "close"))
                close = true;
            else if (list_contains(value, "keep-alive"))
                close = false;
        }
    }
    head.keep_alive = !close;
    if (!status_allows_body(head.status) || request_method == "HEAD") return head;
    if (coding) {
        if (length) return malformed("it has both a length and a transfer coding");
        if (!equals_ignoring_case(*coding, "chunked")) return malformed("its transfer coding is not chunked");
        head.framing.kind = Framing::Kind::chunked;
    } else if (length) {
        const auto bytes = parse_decimal(*length);
        if (!bytes) return malformed("its length is no number");
        head.framing = {*bytes == 0 ? Framing::Kind::none : Framing::Kind::length, *bytes};
    } else {
        head.framing.kind = Framing::Kind::until_close;
        head.keep_alive = false;
    }
    return head;
}

}  // namespace sheaf::http
