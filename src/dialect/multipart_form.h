#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sheaf::dialect {

struct FormLimits {
    std::size_t parts_max = 32;
    std::size_t part_header_bytes_max = 16 * 1024;
};

// The head of a part of a form.
struct FormPart {
    std::string name;
    std::optional<std::string> filename;  // the last segment of what the client called it
};

// Reads multipart/form-data (RFC 7578) as it arrives, in memory that does not depend on the size of a part.
//
//   FormParser parser(boundary, limits);
//   while (bytes) { parser.feed(bytes); while (auto event = parser.next()) … }
//
// Tolerates a preamble, an epilogue, blanks after a boundary, and parts in any order. What comes after the
// closing boundary is ignored.
class FormParser {
public:
    enum class Kind : std::uint8_t {
        part,  // a part begins
        data,  // bytes of it
        end,   // the part is complete
    };
    struct Event {
        Kind kind;
        FormPart part;          // of part
        std::string_view data;  // of data; valid until the next call
    };

    FormParser(std::string_view boundary, FormLimits limits);

    void feed(std::string_view bytes);
    // The next event that what was fed so far gives. Nullopt: feed more. invalid: the form is malformed, or
    // over a limit.
    Result<std::optional<Event>> next();
    // Whether the closing boundary was seen.
    bool complete() const { return state_ == State::epilogue; }

private:
    enum class State : std::uint8_t { preamble, after_boundary, headers, data, part_end, epilogue };

    Result<std::optional<Event>> read_headers();
    std::optional<Event> read_data();
    void consume(std::size_t count) { at_ += count; }
    std::string_view rest() const { return std::string_view(buffer_).substr(at_); }

    std::string delimiter_;  // "\r\n--boundary"
    FormLimits limits_;
    State state_ = State::preamble;
    std::string buffer_;
    std::size_t at_ = 0;
    std::size_t parts_ = 0;
};

// The boundary of a Content-Type header; invalid unless it is multipart/form-data with a usable one.
Result<std::string> form_boundary(std::optional<std::string_view> content_type);

// The name and file name of a Content-Disposition header; nullopt when it names no field. filename* (RFC
// 5987, UTF-8) wins over filename.
std::optional<FormPart> parse_disposition(std::string_view header);

}  // namespace sheaf::dialect
