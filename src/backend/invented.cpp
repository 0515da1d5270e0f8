#include "backend/invented.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <boost/json.hpp>

#include "backend/pattern.h"

namespace sheaf::backend {
namespace {

namespace json = boost::json;
using core::FieldType;

// Below this, members that may be left out are.
constexpr std::size_t kFullDepth = 6;
constexpr std::size_t kDepthMax = 40;

std::string_view view(json::string_view text) {
    return {text.data(), text.size()};
}

std::string_view text_member(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_string() ? view(member->get_string()) : std::string_view{};
}

class Inventor {
public:
    explicit Inventor(const json::value& root) : root_(root) {}

    json::value invent(const json::value& schema, std::size_t depth) const {
        if (!schema.is_object() || depth > kDepthMax) return nullptr;
        const auto& rules = schema.get_object();
        if (const auto ref = text_member(rules, "$ref"); ref.starts_with('#')) {
            boost::system::error_code error;
            const auto* target = root_.find_pointer(ref.substr(1), error);
            return target == nullptr ? json::value(nullptr) : invent(*target, depth + 1);
        }
        if (const auto* constant = rules.if_contains("const")) return *constant;
        if (const auto* choices = rules.if_contains("enum");
            choices != nullptr && choices->is_array() && !choices->get_array().empty())
            return choices->get_array().front();
        if (const auto* branches = rules.if_contains("anyOf");
            branches != nullptr && branches->is_array() && !branches->get_array().empty()) {
            // Deep down, the last alternative: recursion in a schema usually ends there.
            const auto& any = branches->get_array();
            return invent(depth < kFullDepth ? any.front() : any.back(), depth + 1);
        }
        std::string_view type = text_member(rules, "type");
        if (const auto* types = rules.if_contains("type"); types != nullptr && types->is_array())
            for (const auto& one : types->get_array())
                if (type.empty() && one.is_string()) type = view(one.get_string());
        if (type == "object" || (type.empty() && rules.contains("properties")))
            return invent_object(rules, depth);
        if (type == "array" || (type.empty() && rules.contains("items"))) return invent_array(rules, depth);
        if (type == "string") return json::value(invent_string(rules));
        if (type == "integer" || type == "number") return invent_number(rules);
        if (type == "timestamp") return 0;
        if (type == "boolean") return false;
        return nullptr;
    }

private:
    static bool is_required(const json::object& rules, std::string_view name) {
        const auto* required = rules.if_contains("required");
        return required != nullptr && required->is_array() &&
               std::ranges::any_of(required->get_array(), [&](const auto& one) {
                   return one.is_string() && view(one.get_string()) == name;
               });
    }

    json::value invent_object(const json::object& rules, std::size_t depth) const {
        json::object object;
        const auto* properties = rules.if_contains("properties");
        if (properties == nullptr || !properties->is_object()) return object;
        for (const auto& property : properties->get_object())
            if (depth < kFullDepth || is_required(rules, view(property.key())))
                object[property.key()] = invent(property.value(), depth + 1);
        return object;
    }

    json::value invent_array(const json::object& rules, std::size_t depth) const {
        json::array array;
        const auto* least = rules.if_contains("minItems");
        if (least != nullptr && least->is_number() && least->to_number<double>() >= 1)
            if (const auto* items = rules.if_contains("items")) array.push_back(invent(*items, depth + 1));
        return array;
    }

    static std::string_view invent_string(const json::object& rules) {
        static constexpr std::array<std::string_view, 12> kUsual{
            "",        "a",   "A",   "0",          "00:00:00",      "00:00:00.000",
            "#000000", "abc", "123", "1970-01-01", "a@example.com", "A1"};
        const auto format = text_member(rules, "format");
        if (format == "uuid") return "00000000-0000-4000-8000-000000000000";
        if (format == "date-time") return "1970-01-01T00:00:00Z";
        if (format == "date") return "1970-01-01";
        if (format == "time") return "00:00:00Z";
        const auto pattern = text_member(rules, "pattern");
        if (pattern.empty()) return "";
        for (const auto text : kUsual)
            if (matches_pattern(pattern, text).value_or(false)) return text;
        return "";
    }

    static json::value invent_number(const json::object& rules) {
        const auto bound = [&](std::string_view name, double otherwise) {
            const auto* member = rules.if_contains(name);
            return member != nullptr && member->is_number() ? member->to_number<double>() : otherwise;
        };
        double least = std::max(bound("minimum", -1e15), std::floor(bound("exclusiveMinimum", -1e15)) + 1);
        const double most = std::min(bound("maximum", 1e15), std::ceil(bound("exclusiveMaximum", 1e15)) - 1);
        least = std::clamp(0.0, std::ceil(least), std::max(std::ceil(least), std::floor(most)));
        return static_cast<std::int64_t>(std::clamp(least, -1e15, 1e15));
    }

    const json::value& root_;
};

json::value invented_field(const core::SegmentField& field, double start) {
    if (!field.allowed.empty() && field.type != FieldType::array) {
        if (field.type == FieldType::string) return json::value(field.allowed.front());
        boost::system::error_code error;
        auto value = json::parse(field.allowed.front(), error);
        return error ? json::value(nullptr) : value;
    }
    switch (field.type) {
        case FieldType::string:
            return json::value("");
        case FieldType::boolean:
            return json::value(false);
        case FieldType::number:
        case FieldType::integer:
            return json::value(0);
        case FieldType::array:
            return json::array{};
        case FieldType::timestamp:
            return json::value(start);
    }
    return nullptr;
}

}  // namespace

json::value invented_document(const json::value& schema) {
    return Inventor(schema).invent(schema, 0);
}

json::value invented_segments(const core::SegmentsOutput& output, Bounds bounds) {
    json::object document;
    for (const auto& definition : output.definitions) {
        std::vector<Bounds> stretches;
        for (const auto& range : definition.ranges) {
            const Bounds cut{std::max(range.start, bounds.start), std::min(range.end, bounds.end)};
            if (cut.start < cut.end) stretches.push_back(cut);
        }
        if (definition.ranges.empty() && bounds.start < bounds.end &&
            bounds.end - bounds.start >= output.min_duration.value_or(0))
            stretches.push_back(
                {bounds.start, std::min(bounds.end, bounds.start + output.max_duration.value_or(1e9))});
        json::array segments;
        for (const auto& stretch : stretches) {
            json::object metadata;
            for (const auto& field : definition.fields)
                metadata[field.name] = invented_field(field, stretch.start);
            segments.push_back(json::object{
                {"start_time", stretch.start}, {"end_time", stretch.end}, {"metadata", std::move(metadata)}});
        }
        document[definition.id] = std::move(segments);
    }
    return document;
}

}  // namespace sheaf::backend
