#include "dialect/multipart_form.h"

#include <algorithm>

#include "dialect/media_type.h"
#include "http/message.h"

namespace sheaf::dialect {
namespace {

constexpr std::size_t kBoundaryBytesMax = 70;  // RFC 2046

std::unexpected<Error> refuse_form(std::string message) {
    return fail(ErrorCode::invalid, std::move(message));
}

bool equal_without_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](char a, char b) {
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        return lower(a) == lower(b);
    });
}

std::string last_segment(std::string_view path) {
    const auto slash = path.find_last_of("/\\");
    return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

// Browsers and SDKs write a quote in a name as %22, and line ends as %0D%0A.
std::string unescape_quotes(std::string_view text) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const std::string_view three = text.substr(at, 3);
        if (three == "%22")
            result.push_back('"');
        else if (three != "%0D" && three != "%0A") {
            result.push_back(text[at]);
            continue;
        }
        at += 2;
    }
    return result;
}

std::optional<std::string> decode_extended(std::string_view value) {
    constexpr std::string_view kUtf8 = "utf-8'";
    if (value.size() < kUtf8.size() || !equal_without_case(value.substr(0, kUtf8.size()), kUtf8))
        return std::nullopt;
    const auto quote = value.find('\'', kUtf8.size());
    if (quote == std::string_view::npos) return std::nullopt;
    return http::percent_decode(value.substr(quote + 1), false);
}

}  // namespace

Result<std::string> form_boundary(std::optional<std::string_view> content_type) {
    if (!content_type || media_type(*content_type) != "multipart/form-data") {
        return refuse_form("The Content-Type must be multipart/form-data.");
    }
    auto boundary = header_parameter(*content_type, "boundary");
    if (!boundary || boundary->empty() || boundary->size() > kBoundaryBytesMax) {
        return refuse_form("The Content-Type has no boundary of 1 to 70 characters.");
    }
    return std::move(*boundary);
}

std::optional<FormPart> parse_disposition(std::string_view header) {
    if (media_type(header) != "form-data") return std::nullopt;
    auto name = header_parameter(header, "name");
    if (!name) return std::nullopt;
    FormPart part{unescape_quotes(*name), std::nullopt};
    if (const auto filename = header_parameter(header, "filename"))
        part.filename = last_segment(unescape_quotes(*filename));
    if (const auto extended = header_parameter(header, "filename*")) {
        if (const auto decoded = decode_extended(*extended)) part.filename = last_segment(*decoded);
    }
    return part;
}

FormParser::FormParser(std::string_view boundary, FormLimits limits)
    : delimiter_("\r\n--" + std::string(boundary)), limits_(limits), buffer_("\r\n") {}

void FormParser::feed(std::string_view bytes) {
    if (state_ == State::epilogue) return;
    buffer_.erase(0, at_);
    at_ = 0;
    buffer_ += bytes;
}

Result<std::optional<FormParser::Event>> FormParser::next() {
    while (true) {
        switch (state_) {
            case State::preamble: {
                const auto found = rest().find(delimiter_);
                if (found == std::string_view::npos) {
                    // What may be the beginning of the delimiter stays.
                    if (rest().size() >= delimiter_.size()) consume(rest().size() - delimiter_.size() + 1);
                    return std::nullopt;
                }
                consume(found + delimiter_.size());
                state_ = State::after_boundary;
                break;
            }
            case State::after_boundary: {
                if (rest().size() < 2) return std::nullopt;
                if (rest().starts_with("--")) {
                    state_ = State::epilogue;
                    break;
                }
                const auto line_end = rest().find("\r\n");
                const std::string_view padding = rest().substr(0, line_end);
                if (padding.size() > limits_.part_header_bytes_max ||
                    padding.substr(0, padding.ends_with('\r') ? padding.size() - 1 : padding.size())
                            .find_first_not_of(" \t") != std::string_view::npos) {
                    return refuse_form("The form is malformed: a boundary is followed by something else.");
                }
                if (line_end == std::string_view::npos) return std::nullopt;
                if (++parts_ > limits_.parts_max) return refuse_form("The form has too many parts.");
                // The line end stays: it ends the headers when there are none.
                consume(line_end);
                state_ = State::headers;
                break;
            }
            case State::headers:
                return read_headers();
            case State::data:
                return read_data();
            case State::part_end:
                state_ = State::after_boundary;
                return Event{Kind::end, {}, {}};
            case State::epilogue:
                return std::nullopt;
        }
    }
}

Result<std::optional<FormParser::Event>> FormParser::read_headers() {
    const auto end = rest().find("\r\n\r\n");
    if (std::min(end, rest().size()) > limits_.part_header_bytes_max) {
        return refuse_form("The headers of a part of the form are too large.");
    }
    if (end == std::string_view::npos) return std::nullopt;
    std::optional<FormPart> part;
    std::string_view lines = rest().substr(0, end);
    while (!lines.empty()) {
        lines.remove_prefix(2);
        const std::string_view line = lines.substr(0, lines.find("\r\n"));
        lines.remove_prefix(line.size());
        const auto colon = line.find(':');
        if (colon == std::string_view::npos)
            return refuse_form("A header of a part of the form is malformed.");
        if (equal_without_case(line.substr(0, colon), "content-disposition")) {
            part = parse_disposition(line.substr(colon + 1));
        }
    }
    if (!part) return refuse_form("A part of the form has no name.");
    consume(end + 4);
    state_ = State::data;
    return Event{Kind::part, std::move(*part), {}};
}

std::optional<FormParser::Event> FormParser::read_data() {
    const auto found = rest().find(delimiter_);
    if (found != std::string_view::npos) {
        const std::string_view data = rest().substr(0, found);
        consume(found + delimiter_.size());
        state_ = State::part_end;
        if (data.empty()) return next().value();
        return Event{Kind::data, {}, data};
    }
    if (rest().size() < delimiter_.size()) return std::nullopt;
    const std::string_view data = rest().substr(0, rest().size() - delimiter_.size() + 1);
    consume(data.size());
    return Event{Kind::data, {}, data};
}

}  // namespace sheaf::dialect
