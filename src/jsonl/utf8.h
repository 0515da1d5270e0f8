#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sheaf::jsonl {

struct Utf8Character {
    char32_t code_point = 0;
    std::size_t bytes = 0;  // how many it takes; at least 1
    bool valid = false;     // false: `bytes` is the part to be replaced by one U+FFFD
};

// The character at the start of `text`, which must not be empty.
Utf8Character decode_utf8(std::string_view text);
// `code_point` must be a scalar value: below 0x110000 and no surrogate.
void append_utf8(std::string& out, char32_t code_point);

}  // namespace sheaf::jsonl
