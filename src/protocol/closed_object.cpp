#include "protocol/closed_object.h"

#include <algorithm>

#include <fmt/format.h>

namespace sheaf::protocol {
namespace {

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

Result<> check_closed(const Value& object, std::span<const Field> fields, std::string_view tag) {
    if (auto fits = expect_object(object); !fits) return fits;
    for (const auto& [name, json] : dom::object(object.json())) {
        if (!tag.empty() && name == tag) continue;
        const Value value = object.member(name, json);
        const auto field = std::ranges::find(fields, name, &Field::name);
        if (field == fields.end()) return value.refuse("Extra inputs are not permitted");
        if (json.is_null() && field->null == Null::allowed) continue;
        if (auto checked = field->check(value); !checked) return checked;
    }
    for (const auto& field : fields) {
        dom::element json;
        if (field.need == Need::required &&
            dom::object(object.json()).at_key(field.name).get(json) != simdjson::SUCCESS)
            return object.member(field.name, object.json()).refuse("Field required");
    }
    return {};
}

Result<std::string_view> type_of(const Value& object) {
    return required_text(object, "type");
}

Result<> check_variants(const Value& object, std::span<const Variant> variants) {
    const auto type = type_of(object);
    if (!type) return std::unexpected(type.error());
    for (const auto& variant : variants)
        if (variant.type == *type) return check_closed(object, variant.fields, "type");
    std::vector<std::string_view> types;
    for (const auto& variant : variants) types.push_back(variant.type);
    return object.member("type", object.json()).refuse(should_be(types));
}

Result<> anything(const Value& /*value*/) {
    return {};
}

Result<> any_object(const Value& value) {
    return expect_object(value);
}

Result<> any_text(const Value& value) {
    const auto text = as_text(value);
    return text ? Result<>{} : std::unexpected(text.error());
}

Result<> any_flag(const Value& value) {
    const auto flag = as_flag(value);
    return flag ? Result<>{} : std::unexpected(flag.error());
}

Result<> non_empty_text(const Value& value) {
    return check_length(value, 1, std::numeric_limits<std::size_t>::max());
}

Result<> whole_number(const Value& value) {
    const auto count = as_count(value);
    return count ? Result<>{} : std::unexpected(count.error());
}

Result<> fraction(const Value& value) {
    double number = 0;
    if (!value.json().is_number() || value.json().get(number) != simdjson::SUCCESS)
        return value.refuse("Input should be a valid number");
    if (number < 0) return value.refuse("Input should be greater than or equal to 0");
    if (number > 1) return value.refuse("Input should be less than or equal to 1");
    return {};
}

std::string should_be(std::span<const std::string_view> words) {
    std::string text = "Input should be ";
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
        text += fmt::format("'{}'", words[i]);
    }
    return text;
}

Result<> check_word(const Value& value, std::span<const std::string_view> words) {
    const auto text = as_text(value);
    if (!text) return std::unexpected(text.error());
    if (std::ranges::find(words, *text) == words.end()) return value.refuse(should_be(words));
    return {};
}

Result<> check_length(const Value& value, std::size_t length_min, std::size_t length_max) {
    const auto text = as_text(value);
    if (!text) return std::unexpected(text.error());
    // No text has more characters than bytes.
    if (text->size() > length_max && count_characters(*text) > length_max)
        return value.refuse(fmt::format("String should have at most {} characters", length_max));
    if (text->size() < length_min)
        return value.refuse(fmt::format("String should have at least {} character", length_min));
    return {};
}

Result<> check_plain_name(const Value& value, std::size_t length_max) {
    if (auto fits = check_length(value, 1, length_max); !fits) return fits;
    const auto text = as_text(value);
    if (text && !std::ranges::all_of(*text, is_plain))
        return value.refuse("String should match pattern '^[a-zA-Z0-9_-]+$'");
    return {};
}

}  // namespace sheaf::protocol
