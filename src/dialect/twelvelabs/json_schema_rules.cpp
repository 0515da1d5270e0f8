#include "dialect/twelvelabs/json_schema_rules.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "dialect/twelvelabs/words.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::array<std::string_view, 8> kTypes{"array",  "boolean", "integer", "null",
                                                 "number", "object",  "string",  "timestamp"};
constexpr std::array<std::string_view, 4> kStringFormats{"uuid", "date-time", "date", "time"};
constexpr std::array<std::string_view, 10> kAnnotations{"title",    "description", "$comment", "$schema",
                                                        "$id",      "default",     "examples", "deprecated",
                                                        "readOnly", "writeOnly"};

// A keyword that belongs to one type. Without a declared type it stands for itself.
struct TypedKeyword {
    std::string_view name;
    std::string_view type;
};
constexpr std::array kTypedKeywords{
    TypedKeyword{"minimum", "integer"},          TypedKeyword{"maximum", "integer"},
    TypedKeyword{"exclusiveMinimum", "integer"}, TypedKeyword{"exclusiveMaximum", "integer"},
    TypedKeyword{"pattern", "string"},           TypedKeyword{"properties", "object"},
    TypedKeyword{"required", "object"},          TypedKeyword{"items", "array"},
    TypedKeyword{"minItems", "array"},
};

// Where a schema stands: only a property of the root, or of the items of an array at the root, may be a
// timestamp.
enum class Place : std::uint8_t { root, root_property, root_property_items, item_property, elsewhere };

Place property_of(Place owner) {
    if (owner == Place::root) return Place::root_property;
    if (owner == Place::root_property_items) return Place::item_property;
    return Place::elsewhere;
}

class SchemaChecker {
public:
    SchemaChecker(dom::element root, std::string path, Findings& findings) : findings_(&findings) {
        if (root.is_object()) {
            dom::object definitions;
            if (root.at_key("$defs").get(definitions) == simdjson::SUCCESS) definitions_ = definitions;
        }
        check(root, path, Place::root);
    }

private:
    void check(dom::element schema, const std::string& path, Place place) {
        if (findings_->any()) return;
        dom::object object;
        if (schema.get(object) != simdjson::SUCCESS) {
            findings_->invalid(path, "must be an object: a schema");
            return;
        }
        const auto type = read_type(object, path);
        if (findings_->any()) return;
        if (type == "timestamp") check_timestamp(object, path, place);
        for (const auto& [keyword, value] : object) {
            if (findings_->any()) return;
            check_keyword(keyword, value, type, path, place);
        }
    }

    std::optional<std::string_view> read_type(dom::object object, const std::string& path) {
        dom::element value;
        if (object.at_key("type").get(value) != simdjson::SUCCESS) return std::nullopt;
        std::string_view type;
        if (value.get(type) == simdjson::SUCCESS && has(kTypes, type)) return type;
        findings_->invalid(
            jsonl::join_path(path, "type"),
            "must be one of array, boolean, integer, null, number, object, string and timestamp");
        return std::nullopt;
    }

    void check_timestamp(dom::object object, const std::string& path, Place place) {
        std::string_view format;
        if (object.at_key("format").get(format) != simdjson::SUCCESS || !parse_time_format(format)) {
            findings_->invalid(jsonl::join_path(path, "format"),
                               "must be \"seconds\", \"hh:mm:ss\" or \"hh:mm:ss.fff\"");
        } else if (place != Place::root_property && place != Place::item_property) {
            findings_->invalid(path,
                               "is a timestamp, which may only be a property of the root, "
                               "or of the items of an array that is one");
        }
    }

    void check_keyword(std::string_view keyword, dom::element value, std::optional<std::string_view> type,
                       const std::string& schema_path, Place place) {
        const std::string path = jsonl::join_path(schema_path, keyword.substr(0, 64));
        const auto typed = std::ranges::find(kTypedKeywords, keyword, &TypedKeyword::name);
        if (typed != kTypedKeywords.end() && type && *type != typed->type) {
            findings_->unsupported(path, fmt::format("is supported for the type {} only", typed->type));
            return;
        }
        if (keyword == "type" || has(kAnnotations, keyword)) return;
        if (keyword == "format") return check_format(value, type, path);
        if (keyword == "properties") return check_properties(value, path, place);
        if (keyword == "required") return check_names(value, path);
        if (keyword == "items") {
            return check(value, path,
                         place == Place::root_property ? Place::root_property_items : Place::elsewhere);
        }
        if (keyword == "minItems") {
            const auto count = to_integer(value);
            if (count != 0 && count != 1) findings_->invalid(path, "must be 0 or 1");
            return;
        }
        if (keyword == "pattern") {
            if (!value.is_string()) findings_->invalid(path, "must be a string");
            return;
        }
        if (typed != kTypedKeywords.end()) {
            if (!to_integer(value)) findings_->invalid(path, "must be an integer");
            return;
        }
        if (keyword == "const") return check_scalar(value, type, path);
        if (keyword == "enum") return check_enum(value, type, path);
        if (keyword == "anyOf") return check_any_of(value, path);
        if (keyword == "$ref") return check_reference(value, path);
        if (keyword == "$defs" && place == Place::root) return check_definitions(value, path);
        findings_->unsupported(path, "is a JSON Schema keyword that is not supported here");
    }

    void check_format(dom::element value, std::optional<std::string_view> type, const std::string& path) {
        if (type == "timestamp") return;
        if (type && *type != "string") {
            findings_->unsupported(path, "is supported for the types string and timestamp only");
            return;
        }
        std::string_view format;
        if (value.get(format) != simdjson::SUCCESS || !has(kStringFormats, format)) {
            findings_->invalid(path, "must be \"uuid\", \"date-time\", \"date\" or \"time\"");
        }
    }

    void check_properties(dom::element value, const std::string& path, Place place) {
        dom::object properties;
        if (value.get(properties) != simdjson::SUCCESS) {
            findings_->invalid(path, "must be an object");
            return;
        }
        for (const auto& [name, schema] : properties) {
            const std::string place_of_it = jsonl::join_path(path, name.substr(0, 64));
            if (name == "start_time" || name == "end_time") check_time_property(schema, place_of_it);
            check(schema, place_of_it, property_of(place));
        }
    }

    // A property of this name is filled from the model's time, whatever depth it stands at.
    void check_time_property(dom::element schema, const std::string& path) {
        std::string_view type;
        if (!schema.is_object() || schema.at_key("type").get(type) != simdjson::SUCCESS) return;
        if (type == "number" || type == "integer" || type == "timestamp") return;
        dom::element format;
        const bool formatted = schema.at_key("format").get(format) == simdjson::SUCCESS;
        if (type != "string" || formatted) {
            findings_->invalid(path, "must be a number, an integer, a timestamp or a string without format");
        }
    }

    void check_names(dom::element value, const std::string& path) {
        dom::array names;
        bool good = value.get(names) == simdjson::SUCCESS;
        if (good) {
            for (const dom::element name : names) good = good && name.is_string();
        }
        if (!good) findings_->invalid(path, "must be an array of strings");
    }

    void check_scalar(dom::element value, std::optional<std::string_view> type, const std::string& path) {
        if (value.is_object() || value.is_array()) {
            findings_->invalid(path, "must be a boolean, null, a number or a string");
        } else if (type == "array" || type == "object" || type == "timestamp") {
            findings_->unsupported(path, fmt::format("is not supported for the type {}", *type));
        }
    }

    void check_enum(dom::element value, std::optional<std::string_view> type, const std::string& path) {
        dom::array values;
        if (value.get(values) != simdjson::SUCCESS || values.size() == 0) {
            findings_->invalid(path, "must be an array with at least one value");
            return;
        }
        std::size_t index = 0;
        for (const dom::element one : values) check_scalar(one, type, jsonl::join_path(path, index++));
    }

    void check_any_of(dom::element value, const std::string& path) {
        dom::array choices;
        if (value.get(choices) != simdjson::SUCCESS || choices.size() == 0) {
            findings_->invalid(path, "must be an array with at least one schema");
            return;
        }
        std::size_t index = 0;
        for (const dom::element choice : choices)
            check(choice, jsonl::join_path(path, index++), Place::elsewhere);
    }

    void check_reference(dom::element value, const std::string& path) {
        constexpr std::string_view kStart = "#/$defs/";
        std::string_view reference;
        if (value.get(reference) != simdjson::SUCCESS || !reference.starts_with(kStart)) {
            findings_->invalid(path, "must have the form \"#/$defs/name\"");
            return;
        }
        dom::element definition;
        if (!definitions_ || definitions_->at_key(reference.substr(kStart.size())).get(definition)) {
            findings_->invalid(path, "refers to a definition that $defs does not have");
        }
    }

    void check_definitions(dom::element value, const std::string& path) {
        dom::object definitions;
        if (value.get(definitions) != simdjson::SUCCESS) {
            findings_->invalid(path, "must be an object");
            return;
        }
        for (const auto& [name, schema] : definitions) {
            check(schema, jsonl::join_path(path, name.substr(0, 64)), Place::elsewhere);
        }
    }

    Findings* findings_;
    std::optional<dom::object> definitions_;
};

}  // namespace

void check_schema(dom::element schema, const std::string& path, Findings& findings) {
    SchemaChecker(schema, path, findings);
}

}  // namespace sheaf::dialect::twelvelabs
