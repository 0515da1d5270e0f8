#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "asked_request.h"

// Whether a JSON Schema is one that strict servers take.
namespace stand_in {

inline Verdict check_type(const json::value& type, const std::string& path) {
    static constexpr std::array<std::string_view, 7> kTypes{"array",  "boolean", "integer", "null",
                                                            "number", "object",  "string"};
    const auto is_known = [](const json::value& one) {
        return one.is_string() && std::ranges::find(kTypes, view(one.get_string())) != kTypes.end();
    };
    if (type.is_array() && !type.get_array().empty() && std::ranges::all_of(type.get_array(), is_known))
        return std::nullopt;
    if (is_known(type)) return std::nullopt;
    return bad(path + ".type", "Not a type of JSON Schema.");
}

inline Verdict check_closed(const json::object& schema, const std::string& path) {
    const auto* properties = schema.if_contains("properties");
    if (properties == nullptr) return std::nullopt;
    const auto* additional = schema.if_contains("additionalProperties");
    if (additional == nullptr || *additional != json::value(false))
        return bad(path, "'additionalProperties' is required to be supplied and to be false.");
    const auto* required = schema.if_contains("required");
    if (required == nullptr || !required->is_array() ||
        required->get_array().size() != properties->get_object().size())
        return bad(path, "'required' must name every property.");
    for (const auto& name : required->get_array())
        if (!name.is_string() || !properties->get_object().contains(name.get_string()))
            return bad(path, "'required' names a property that is not there.");
    return std::nullopt;
}

inline Verdict check_schema(const json::value& value, const std::string& path, bool is_strict,
                            std::size_t depth) {
    static constexpr std::array<std::string_view, 24> kKeywords{"type",
                                                                "properties",
                                                                "required",
                                                                "items",
                                                                "enum",
                                                                "const",
                                                                "anyOf",
                                                                "$ref",
                                                                "$defs",
                                                                "description",
                                                                "title",
                                                                "additionalProperties",
                                                                "minimum",
                                                                "maximum",
                                                                "exclusiveMinimum",
                                                                "exclusiveMaximum",
                                                                "multipleOf",
                                                                "pattern",
                                                                "format",
                                                                "minItems",
                                                                "maxItems",
                                                                "$comment",
                                                                "default",
                                                                "examples"};
    if (!value.is_object()) return bad(path, "A schema must be an object.");
    if (depth > 10 && is_strict) return bad(path, "Nested too deeply for a strict schema.");
    const auto& schema = value.get_object();
    for (const auto& member : schema)
        if (std::ranges::find(kKeywords, view(member.key())) == kKeywords.end())
            return bad(path, fmt::format("Unknown keyword {}.", view(member.key())));
    if (const auto* type = schema.if_contains("type"))
        if (auto wrong = check_type(*type, path)) return wrong;
    if (const auto* choices = schema.if_contains("enum");
        choices != nullptr && (!choices->is_array() || choices->get_array().empty()))
        return bad(path + ".enum", "Must be a non-empty array.");
    if (const auto* items = schema.if_contains("items"))
        if (auto wrong = check_schema(*items, path + ".items", is_strict, depth + 1)) return wrong;
    if (const auto* branches = schema.if_contains("anyOf")) {
        if (!branches->is_array()) return bad(path + ".anyOf", "Must be an array.");
        for (const auto& branch : branches->get_array())
            if (auto wrong = check_schema(branch, path + ".anyOf", is_strict, depth + 1)) return wrong;
    }
    for (const auto* group : {"properties", "$defs"})
        if (const auto* members = schema.if_contains(group)) {
            if (!members->is_object()) return bad(path + "." + group, "Must be an object.");
            for (const auto& member : members->get_object())
                if (auto wrong =
                        check_schema(member.value(), fmt::format("{}.{}.{}", path, group, view(member.key())),
                                     is_strict, depth + 1))
                    return wrong;
        }
    return is_strict ? check_closed(schema, path) : std::nullopt;
}

}  // namespace stand_in
