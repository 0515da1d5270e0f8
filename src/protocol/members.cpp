#include "protocol/members.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;

template <class Wanted>
std::optional<Wanted> find_as(const dom::object& object, std::string_view name) {
    Wanted value;
    if (object.at_key(name).get<Wanted>().get(value) != simdjson::SUCCESS) return std::nullopt;
    return value;
}

}  // namespace

std::string json_text(const dom::element& value) {
    return simdjson::minify(value);
}

std::string json_text(const dom::object& value) {
    return simdjson::minify(value);
}

std::string json_text(const dom::array& value) {
    return simdjson::minify(value);
}

void write_json(jsonl::Writer& json, const dom::element& value) {
    switch (value.type()) {
        case dom::element_type::OBJECT:
            json.open_object();
            for (const auto& [name, member] : dom::object(value)) write_json(json.key(name), member);
            json.close_object();
            return;
        case dom::element_type::ARRAY:
            json.open_array();
            for (const dom::element entry : dom::array(value)) write_json(json, entry);
            json.close_array();
            return;
        case dom::element_type::STRING:
            json.value(std::string_view(value));
            return;
        case dom::element_type::INT64:
            json.value(std::int64_t(value));
            return;
        case dom::element_type::UINT64:
            json.value(std::uint64_t(value));
            return;
        case dom::element_type::BOOL:
            json.value(bool(value));
            return;
        case dom::element_type::DOUBLE:
        case dom::element_type::NULL_VALUE:
            json.raw(json_text(value));
    }
}

std::optional<dom::element> find_member(const dom::object& object, std::string_view name) {
    dom::element member;
    if (object.at_key(name).get(member) != simdjson::SUCCESS || member.is_null()) return std::nullopt;
    return member;
}

std::optional<dom::object> find_object(const dom::object& object, std::string_view name) {
    return find_as<dom::object>(object, name);
}

std::optional<dom::array> find_array(const dom::object& object, std::string_view name) {
    return find_as<dom::array>(object, name);
}

std::optional<std::string_view> find_text(const dom::object& object, std::string_view name) {
    return find_as<std::string_view>(object, name);
}

std::optional<std::uint64_t> find_count(const dom::object& object, std::string_view name) {
    return find_as<std::uint64_t>(object, name);
}

}  // namespace sheaf::protocol
