#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/value.h"

// Checks of closed objects by tables of their fields, in the words of the vendor's server.
namespace sheaf::protocol {

using Check = Result<> (*)(const Value& value);

enum class Need : std::uint8_t { optional, required };
enum class Null : std::uint8_t { refused, allowed };

struct Field {
    std::string_view name;
    Check check;
    Need need = Need::optional;
    Null null = Null::refused;
};
// invalid: a field that the table does not name, one that is missing, or one whose check fails. `tag`: a
// member that was looked at already.
Result<> check_closed(const Value& object, std::span<const Field> fields, std::string_view tag = {});

// An object whose member "type" says which fields it has.
struct Variant {
    std::string_view type;
    std::span<const Field> fields;
};
Result<> check_variants(const Value& object, std::span<const Variant> variants);

// The member "type" of an object, which must be a string.
Result<std::string_view> type_of(const Value& object);

Result<> anything(const Value& value);
Result<> any_object(const Value& value);
Result<> any_text(const Value& value);
Result<> any_flag(const Value& value);
Result<> non_empty_text(const Value& value);
Result<> whole_number(const Value& value);  // 0 or more
Result<> fraction(const Value& value);      // 0 to 1

// "Input should be 'a', 'b' or 'c'".
std::string should_be(std::span<const std::string_view> words);
Result<> check_word(const Value& value, std::span<const std::string_view> words);
template <const auto& words>
Result<> one_of(const Value& value) {
    return check_word(value, words);
}

template <Check check>
Result<> array_of(const Value& value) {
    return for_each_value(value, check);
}

template <const auto& fields>
Result<> closed(const Value& value) {
    return check_closed(value, fields);
}

// Text of `length_min` to `length_max` characters.
Result<> check_length(const Value& value, std::size_t length_min, std::size_t length_max);
template <std::size_t length_max>
Result<> text_up_to(const Value& value) {
    return check_length(value, 0, length_max);
}

// 1 to `length_max` characters of [A-Za-z0-9_-].
Result<> check_plain_name(const Value& value, std::size_t length_max);
template <std::size_t length_max = std::numeric_limits<std::size_t>::max()>
Result<> plain_name(const Value& value) {
    return check_plain_name(value, length_max);
}

}  // namespace sheaf::protocol
