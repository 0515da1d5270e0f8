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
