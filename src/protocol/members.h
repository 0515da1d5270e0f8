#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "jsonl/writer.h"

namespace sheaf::protocol {

// The value as JSON text without blanks, its members in the order they came in; numbers keep their value.
std::string json_text(const simdjson::dom::element& value);
std::string json_text(const simdjson::dom::object& value);
std::string json_text(const simdjson::dom::array& value);

// Writes the same text.
void write_json(jsonl::Writer& json, const simdjson::dom::element& value);

// The member, unless it is missing or null.
std::optional<simdjson::dom::element> find_member(const simdjson::dom::object& object, std::string_view name);
// The same, and missing too when it is of another type: for answers, of which we take what we can use.
std::optional<simdjson::dom::object> find_object(const simdjson::dom::object& object, std::string_view name);
std::optional<simdjson::dom::array> find_array(const simdjson::dom::object& object, std::string_view name);
std::optional<std::string_view> find_text(const simdjson::dom::object& object, std::string_view name);
std::optional<std::uint64_t> find_count(const simdjson::dom::object& object, std::string_view name);

// Calls `take` with each object in the array `name`, if there is one.
template <class Take>
void for_each_object(const simdjson::dom::object& object, std::string_view name, const Take& take) {
    const auto list = find_array(object, name);
    if (!list) return;
    for (const simdjson::dom::element element : *list) {
        simdjson::dom::object entry;
        if (element.get(entry) == simdjson::SUCCESS) take(entry);
    }
}

}  // namespace sheaf::protocol
