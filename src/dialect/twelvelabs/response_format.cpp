#include "dialect/twelvelabs/response_format.h"

#include <algorithm>

#include <fmt/format.h>

#include "dialect/twelvelabs/json_schema_rules.h"
#include "dialect/twelvelabs/prompt_reader.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr double kRangeSecondsMin = 2;
// Far more than a model can follow; checking it takes milliseconds.
constexpr std::size_t kSchemaBytesMax = 256 * 1024;

// Paths in this part of the request name the member without the places in its arrays, as the vendor's do:
// response_format.segment_definitions.fields.format.
std::string without_places(std::string_view path) {
    std::string plain;
    const auto format = path.find("response_format");
    std::size_t at = format == std::string_view::npos ? 0 : format;
    plain = path.substr(0, at);
    while (at < path.size()) {
        const auto open = path.find('[', at);
        plain += path.substr(at, open == std::string_view::npos ? open : open - at);
        if (open == std::string_view::npos) break;
        const auto close = path.find(']', open);
        at = close == std::string_view::npos ? path.size() : close + 1;
    }
    return plain;
}

void read_timestamp_format(ObjectReader& reader, core::SegmentField& field) {
    const auto format = reader.text("format");
    const std::string path = without_places(reader.path_of("format"));
    if (field.type != core::FieldType::timestamp) {
        if (format) reader.findings().invalid(path, "is for fields of type timestamp only");
        return;
    }
    const auto parsed = format ? parse_time_format(*format) : std::nullopt;
    if (!parsed) reader.findings().invalid(path, "must be \"seconds\", \"hh:mm:ss\" or \"hh:mm:ss.fff\"");
    field.time_format = parsed.value_or(core::TimeFormat::seconds);
}

void read_enum(ObjectReader& reader, core::SegmentField& field) {
    const auto values = reader.array("enum");
    if (!values) return;
    const std::string path = reader.path_of("enum");
    Findings& findings = reader.findings();
    if (field.type == core::FieldType::timestamp)
        findings.invalid(path, "cannot be used with type timestamp");
    if (values->size() == 0 || values->size() > kFieldValuesMax) {
        findings.invalid(path, fmt::format("must have 1 to {} values", kFieldValuesMax));
        return;
    }
    for (const dom::element value : *values) {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) {
            findings.invalid(jsonl::join_path(path, field.allowed.size()), "must be a string");
            return;
        }
        field.allowed.emplace_back(text);
    }
}

void read_items(ObjectReader& reader, core::SegmentField& field) {
    const std::string path = reader.path_of("items");
    Findings& findings = reader.findings();
    const bool is_array = field.type == core::FieldType::array;
    const auto items = reader.find("items", is_array ? Need::required : Need::optional);
    if (!items) return;
    if (!is_array) {
        findings.invalid(path, "is for fields of type array only");
        return;
    }
    ObjectReader inner(*items, path, findings);
    if (const auto word = inner.text("type", Need::required)) {
        const auto type = parse_field_type(*word);
        if (!type || *type == core::FieldType::array || *type == core::FieldType::timestamp) {
            findings.invalid(inner.path_of("type"), "must be one of string, number, boolean and integer");
        }
        field.element = type.value_or(core::FieldType::string);
    }
    inner.finish();
}

core::SegmentField read_field(dom::element value, const std::string& path, Findings& findings) {
    ObjectReader reader(value, path, findings);
    core::SegmentField field;
    if (auto name = reader.text("name", Need::required)) {
        if (name->empty()) findings.invalid(reader.path_of("name"), "must not be empty");
        field.name = std::move(*name);
    }
    if (const auto word = reader.text("type", Need::required)) {
        const auto type = parse_field_type(*word);
        if (!type) {
            findings.invalid(reader.path_of("type"),
                             "must be one of string, boolean, number, integer, array and timestamp");
        }
        field.type = type.value_or(core::FieldType::string);
    }
    field.description = reader.text("description", Need::required).value_or("");
    if (field.type == core::FieldType::timestamp &&
        (field.name == "start_time" || field.name == "end_time" || field.name == "metadata")) {
        findings.invalid(reader.path_of("name"),
                         "must not be start_time, end_time or metadata for a timestamp");
    }
    read_timestamp_format(reader, field);
    read_enum(reader, field);
    read_items(reader, field);
    reader.finish();
    return field;
}

void read_fields(ObjectReader& reader, core::SegmentDefinition& definition) {
    const auto fields = reader.array("fields");
    if (!fields) return;
    const std::string path = reader.path_of("fields");
    Findings& findings = reader.findings();
    if (fields->size() > kFieldsMax) {
        findings.invalid(path, fmt::format("must have at most {} fields", kFieldsMax));
        return;
    }
    for (const dom::element value : *fields) {
        const std::string place = jsonl::join_path(path, definition.fields.size());
        core::SegmentField field = read_field(value, place, findings);
        if (has(definition.fields, field.name, &core::SegmentField::name)) {
            findings.invalid(place + ".name", "must be unique within the definition");
        }
        definition.fields.push_back(std::move(field));
    }
}

void read_ranges(ObjectReader& reader, core::SegmentDefinition& definition) {
    const auto ranges = reader.array("time_ranges");
    if (!ranges) return;
    const std::string path = reader.path_of("time_ranges");
    Findings& findings = reader.findings();
    for (const dom::element value : *ranges) {
        ObjectReader inner(value, jsonl::join_path(path, definition.ranges.size()), findings);
        const double start = inner.number("start_time", Need::required).value_or(0);
        const double end = inner.number("end_time", Need::required).value_or(0);
        inner.finish();
        if (start < 0) findings.invalid(inner.path_of("start_time"), "must be at least 0");
        if (end <= start) findings.invalid(inner.path_of("end_time"), "must be greater than start_time");
        if (end - start < kRangeSecondsMin) {
            findings.invalid(inner.path(), fmt::format("must be at least {} seconds long", kRangeSecondsMin));
        }
        definition.ranges.push_back({start, end});
    }
    std::vector<core::TimeRange> sorted = definition.ranges;
    std::ranges::sort(sorted, {}, &core::TimeRange::start);
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        if (sorted[i].start < sorted[i - 1].end) findings.invalid(path, "must not overlap");
    }
}

core::SegmentDefinition read_definition(dom::element value, const std::string& path,
                                        std::uint64_t base64_bytes_max, Findings& findings) {
    ObjectReader reader(value, path, findings);
    core::SegmentDefinition definition;
    if (auto id = reader.text("id", Need::required)) {
        if (id->empty()) findings.invalid(reader.path_of("id"), "must not be empty");
        definition.id = std::move(*id);
    }
    if (auto description = reader.text("description", Need::required)) {
        if (description->find_first_not_of(" \t\r\n") == std::string::npos) {
            findings.invalid(reader.path_of("description"), "must not be empty");
        }
        definition.description = std::move(*description);
    }
    read_fields(reader, definition);
    definition.images =
        read_images(reader, definition.description, reader.path_of("description"), base64_bytes_max);
    read_ranges(reader, definition);
    reader.finish();
    return definition;
}

void read_definitions(ObjectReader& reader, ResponseFormat& format, std::uint64_t base64_bytes_max) {
    const auto definitions = reader.array("segment_definitions", Need::required);
    if (!definitions) return;
    const std::string path = reader.path_of("segment_definitions");
    Findings& findings = reader.findings();
    if (definitions->size() == 0 || definitions->size() > kDefinitionsMax) {
        findings.invalid(path, fmt::format("must have 1 to {} definitions", kDefinitionsMax));
        return;
    }
    for (const dom::element value : *definitions) {
        const std::string place = jsonl::join_path(path, format.definitions.size());
        core::SegmentDefinition definition = read_definition(value, place, base64_bytes_max, findings);
        if (has(format.definitions, definition.id, &core::SegmentDefinition::id)) {
            findings.invalid(place + ".id", "must be unique among the definitions");
        }
        format.definitions.push_back(std::move(definition));
    }
}

void forbid(ObjectReader& reader, std::string_view name, std::string_view type) {
    if (reader.find(name)) {
        reader.findings().invalid(reader.path_of(name),
                                  fmt::format("cannot be used when type is \"{}\"", type));
    }
}

}  // namespace

ResponseFormat read_response_format(dom::element value, const std::string& path,
                                    std::uint64_t base64_bytes_max, Findings& findings) {
    ObjectReader reader(value, path, findings);
    ResponseFormat format;
    const auto type = reader.text("type", Need::required);
    if (type == "json_schema") {
        forbid(reader, "segment_definitions", *type);
        forbid(reader, "segment_time_format", *type);
        format.schema = "{}";
        if (const auto schema = reader.find("json_schema", Need::required)) {
            format.schema = simdjson::to_string(*schema);
            if (format.schema->size() > kSchemaBytesMax) {
                findings.invalid(reader.path_of("json_schema"), "must be at most 256 KiB");
            } else {
                check_schema(*schema, reader.path_of("json_schema"), findings);
            }
        }
        reader.finish();
    } else if (type == "segment_definitions") {
        forbid(reader, "json_schema", *type);
        read_definitions(reader, format, base64_bytes_max);
        if (const auto word = reader.text("segment_time_format")) {
            format.time_format = parse_time_format(*word);
            if (!format.time_format) {
                findings.invalid(reader.path_of("segment_time_format"),
                                 "must be \"seconds\", \"hh:mm:ss\" or \"hh:mm:ss.fff\"");
            }
        }
        reader.finish();
    } else if (type) {
        findings.invalid(reader.path_of("type"), "must be \"json_schema\" or \"segment_definitions\"");
    }
    return format;
}

}  // namespace sheaf::dialect::twelvelabs
