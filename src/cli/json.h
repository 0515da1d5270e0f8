#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "jsonl/document.h"

// Reading answers of a server: what is missing or of another type is simply not there.
namespace sheaf::cli {

using Json = simdjson::dom::element;

inline std::optional<Json> member(const Json& object, std::string_view name) {
    Json found;
    if (object.is_object() && object.at_key(name).get(found) == simdjson::SUCCESS) return found;
    return std::nullopt;
}

inline std::optional<std::string> string_member(const Json& object, std::string_view name) {
    const auto found = member(object, name);
    if (!found || !found->is_string()) return std::nullopt;
    return std::string(found->get_string().value());
}

inline std::optional<std::uint64_t> number_member(const Json& object, std::string_view name) {
    const auto found = member(object, name);
    std::uint64_t number = 0;
    if (!found || found->get_uint64().get(number) != simdjson::SUCCESS) return std::nullopt;
    return number;
}

}  // namespace sheaf::cli
