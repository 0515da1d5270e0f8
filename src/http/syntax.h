#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.h"

// The pieces of HTTP/1.1's grammar that requests and responses share.
namespace sheaf::http {

bool equals_ignoring_case(std::string_view left, std::string_view right);
bool is_token(std::string_view text);
std::string_view trim_blanks(std::string_view text);
// Digits only, no sign, no overflow.
std::optional<std::uint64_t> parse_decimal(std::string_view text);
// Whether `name` is among the comma-separated `list`, ignoring case.
bool list_contains(std::string_view list, std::string_view name);

// Finds the end of a head as it arrives, and what no head may contain, at the byte that shows it.
class HeadScan {
public:
    enum class State { incomplete, complete, bad_line_end };

    // `text` is the head so far, each time from its start; only what is new is looked at.
    State scan(std::string_view text);
    // Of a complete head, its empty line included.
    std::size_t head_bytes() const { return at_; }
    // False until the first line is complete.
    bool first_line_seen() const { return line_start_ > 0; }

private:
    std::size_t at_ = 0;
    std::size_t line_start_ = 0;
};

// Field lines, each with its CRLF, without the empty line. Nullopt: obs-fold, a name that is no token, a
// control character, or more than `fields_max`.
std::optional<Headers> parse_fields(std::string_view lines, std::size_t fields_max);

inline constexpr std::size_t kFieldsMax = 256;

}  // namespace sheaf::http
