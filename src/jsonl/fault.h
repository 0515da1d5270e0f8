#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sheaf::jsonl {

// Where and how a text first breaks the grammar of JSON.
struct Fault {
    std::size_t offset = 0;
    std::string what;  // "a comma or } is missing"
};

// Nullopt when nothing breaks it within `depth_max`. Slow and strict: for the message after a fast parser
// refused.
std::optional<Fault> find_fault(std::string_view json, std::size_t depth_max);

// "line 3, column 7", columns counted in bytes.
std::string describe_place(std::string_view json, std::size_t offset);

}  // namespace sheaf::jsonl
