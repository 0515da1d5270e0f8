#include "backend/segments_answer.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "backend/json_answer.h"
#include "backend/json_text.h"

namespace sheaf::backend {
namespace {

namespace json = boost::json;
using core::FieldType;

constexpr std::size_t kSegmentsMax = 20'000;

std::string_view view(json::string_view text) {
    return {text.data(), text.size()};
}

std::string_view type_name(FieldType type) {
    switch (type) {
        case FieldType::string:
            return "string";
        case FieldType::boolean:
            return "boolean";
        case FieldType::number:
            return "number";
        case FieldType::integer:
            return "integer";
        case FieldType::array:
            return "array";
        case FieldType::timestamp:
            return "number";
    }
    return "string";
}

// The client's enum is a list of strings, whatever the type: {"1", "2"} of an integer means 1 and 2.
json::array choices(FieldType type, const std::vector<std::string>& allowed) {
    json::array values;
    for (const auto& text : allowed) {
        auto value = type == FieldType::string ? Result<json::value>(json::string(text)) : parse_json(text);
        if (value) values.push_back(*std::move(value));
    }
    return values;
}

json::object field_schema(const core::SegmentField& field) {
    json::object schema{{"type", json::array{json::value(type_name(field.type)), json::value("null")}}};
    if (!field.description.empty()) schema["description"] = field.description;
    if (field.type == FieldType::timestamp && field.description.empty())
        schema["description"] = "Seconds from the start of the video.";
    if (field.type == FieldType::array) {
        json::object items{{"type", type_name(field.element)}};
        if (auto values = choices(field.element, field.allowed); !values.empty())
            items["enum"] = std::move(values);
        schema["items"] = std::move(items);
    } else if (auto values = choices(field.type, field.allowed); !values.empty()) {
        values.push_back(nullptr);
        schema["enum"] = std::move(values);
    }
    return schema;
}

json::object closed_object(json::object properties) {
    json::array required;
    for (const auto& property : properties) required.push_back(json::value(property.key()));
    return {{"type", "object"},
            {"properties", std::move(properties)},
            {"required", std::move(required)},
            {"additionalProperties", false}};
}

Result<double> time_member(const json::object& segment, std::string_view name, const std::string& path) {
    const auto* value = segment.if_contains(name);
    if (value != nullptr && value->is_number()) return value->to_number<double>();
    if (value != nullptr && value->is_string())
        if (const auto seconds = parse_time(view(value->get_string()))) return *seconds;
    return fail(ErrorCode::invalid, fmt::format("{}.{}: expected a time in seconds", path, name));
}

Result<Segment> read_segment(const core::SegmentDefinition& definition, const json::value& value,
                             const std::string& path) {
    if (!value.is_object()) return fail(ErrorCode::invalid, path + ": expected an object");
    const auto& object = value.get_object();
    const auto start = time_member(object, "start_time", path);
    if (!start) return std::unexpected(start.error());
    const auto end = time_member(object, "end_time", path);
    if (!end) return std::unexpected(end.error());
    Segment segment{*start, *end, {}};
    const auto* metadata = object.if_contains("metadata");
    if (metadata != nullptr && !metadata->is_object() && !metadata->is_null())
        return fail(ErrorCode::invalid, path + ".metadata: expected an object");
    if (metadata == nullptr || !metadata->is_object()) return segment;
    for (const auto& field : definition.fields) {
        const auto* given = metadata->get_object().if_contains(field.name);
        if (given == nullptr) continue;
        auto checked = check_field(field, json_text(*given));
        if (!checked)
            return fail(ErrorCode::invalid, fmt::format("{}.metadata.{}", path, checked.error().message));
        segment.fields.emplace_back(field.name, *std::move(checked));
    }
    return segment;
}

}  // namespace

json::value segments_schema(const core::SegmentsOutput& output) {
    json::object groups;
    for (const auto& definition : output.definitions) {
        json::object fields;
        for (const auto& field : definition.fields) fields[field.name] = field_schema(field);
        json::object segment{{"start_time", {{"type", "number"}}},
                             {"end_time", {{"type", "number"}}},
                             {"metadata", closed_object(std::move(fields))}};
        groups[definition.id] = {{"type", "array"}, {"items", closed_object(std::move(segment))}};
    }
    return closed_object(std::move(groups));
}

Result<std::string> settle_segments_answer(const core::SegmentsOutput& output, Bounds bounds,
                                           std::string_view text) {
    const auto document = parse_json(without_fence(text));
    if (!document) return std::unexpected(document.error());
    if (!document->is_object()) return fail(ErrorCode::invalid, "the document: expected an object");
    std::vector<DefinitionSegments> found;
    std::size_t count = 0;
    for (const auto& definition : output.definitions) {
        const auto* group = document->get_object().if_contains(definition.id);
        if (group == nullptr || !group->is_array())
            return fail(ErrorCode::invalid, fmt::format("{}: expected an array of segments", definition.id));
        DefinitionSegments segments{definition.id, {}};
        count += group->get_array().size();
        if (count > kSegmentsMax) return fail(ErrorCode::invalid, "too many segments");
        for (std::size_t i = 0; i < group->get_array().size(); ++i) {
            auto segment =
                read_segment(definition, group->get_array()[i], fmt::format("{}[{}]", definition.id, i));
            if (!segment) return std::unexpected(segment.error());
            segments.segments.push_back(*std::move(segment));
        }
        found.push_back(std::move(segments));
    }
    const auto settled = settle_segments(output, bounds, std::move(found));
    if (!settled) return std::unexpected(settled.error());
    return render_segments(output, *settled);
}

}  // namespace sheaf::backend
