#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace model_server {

// What is looked for in a request's body, by scanning its bytes; nothing is checked. A test that cares
// whether a request is right asks model_stand_in.

// The number after `"name":`, or after `name=` in a text.
std::optional<std::uint64_t> find_member_number(std::string_view body, std::string_view name);
std::optional<std::uint64_t> find_hint_number(std::string_view body, std::string_view name);
// The word after " id=" or "\"id=" in a text: letters, digits, '-', '_', '.'. Empty when there is none.
std::string_view find_hint_id(std::string_view body);
// The texts of the request, `system` first, then in order: the values of "content", "text", "input" and
// "instructions" that are strings, as they are escaped.
std::string prompt_of(std::string_view body);

}  // namespace model_server
