#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "jsonl/document.h"
#include "picture_check.h"

// The stand-in reads a chat request as strictly as the published schema allows, so that a slip of ours shows.
namespace stand_in {

namespace json = boost::json;

inline std::string_view view(json::string_view text) {
    return {text.data(), text.size()};
}

// One part of what the user says, as it stands in the request.
struct Part {
    bool is_image = false;
    std::string text;  // or the data URL
};

struct ChatRequest {
    std::string model;
    std::vector<Part> parts;  // of the first user message
    std::size_t turns = 0;    // assistant messages: above 0 it is a second try
    std::size_t images = 0;
    std::optional<json::value> schema;
    bool is_streamed = false;
    bool wants_usage = false;
    std::int64_t max_tokens = 0;
};

// What is wrong with a request: OpenAI's `param` and a sentence.
struct Violation {
    std::string param;
    std::string message;
};

class RequestCheck {
public:
    // The first violation, or nullopt and `request` filled.
    std::optional<Violation> check(std::string_view body, ChatRequest& request) {
        // Duplicate keys and broken UTF-8 are found here; Boost.JSON lets the first pass.
        if (const auto strict = sheaf::jsonl::Document::parse(body); !strict)
            return bad("", strict.error().message);
        boost::system::error_code error;
        const auto document = json::parse({body.data(), body.size()}, error);
        if (error || !document.is_object()) return bad("", "the body is not a JSON object");
        for (const auto& member : document.get_object())
            if (auto wrong = check_member(view(member.key()), member.value(), request)) return wrong;
        const auto& object = document.get_object();
        for (const auto* name : {"model", "messages"})
            if (!object.contains(name))
                return bad(name, fmt::format("Missing required parameter: '{}'.", name));
        if (object.contains("stream_options") && !request.is_streamed)
            return bad("stream_options", "Only allowed when 'stream' is true.");
        return std::nullopt;
    }

private:
    static Violation bad(std::string param, std::string message) {
        return {std::move(param), std::move(message)};
    }

    std::optional<Violation> check_member(std::string_view name, const json::value& value,
                                          ChatRequest& request) {
        if (name == "model") {
            if (!value.is_string() || value.get_string().empty())
                return bad("model", "Must be a non-empty string.");
            request.model = view(value.get_string());
            return std::nullopt;
        }
        if (name == "messages") return check_messages(value, request);
        if (name == "temperature") {
            if (!value.is_number() || value.to_number<double>() < 0 || value.to_number<double>() > 2)
                return bad("temperature", "Must be a number from 0 to 2.");
            return std::nullopt;
        }
        if (name == "max_tokens" || name == "max_completion_tokens") {
            const bool is_integer = value.is_int64() || value.is_uint64();
            if (!is_integer || value.to_number<std::int64_t>() < 1)
                return bad(std::string(name), "Must be an integer from 1.");
            request.max_tokens = value.to_number<std::int64_t>();
            return std::nullopt;
        }
        if (name == "stream") {
            if (!value.is_bool()) return bad("stream", "Must be a boolean.");
            request.is_streamed = value.get_bool();
            return std::nullopt;
        }
        if (name == "stream_options") {
            if (!value.is_object()) return bad("stream_options", "Must be an object.");
            for (const auto& member : value.get_object()) {
                if (view(member.key()) != "include_usage" || !member.value().is_bool())
                    return bad("stream_options", "Only include_usage, a boolean, is known.");
                request.wants_usage = member.value().get_bool();
            }
            return std::nullopt;
        }
        if (name == "response_format") return check_format(value, request);
        return bad(std::string(name), fmt::format("Unrecognized request argument supplied: {}", name));
    }

    std::optional<Violation> check_messages(const json::value& value, ChatRequest& request) {
        if (!value.is_array() || value.get_array().empty())
            return bad("messages", "Must be a non-empty array.");
        std::string_view last_role;
        bool has_user = false;
        for (std::size_t i = 0; i < value.get_array().size(); ++i) {
            const auto path = fmt::format("messages[{}]", i);
            const auto* message = value.get_array()[i].if_object();
            if (message == nullptr) return bad(path, "Must be an object.");
            for (const auto& member : *message)
                if (view(member.key()) != "role" && view(member.key()) != "content")
                    return bad(path, fmt::format("Unknown member {}.", view(member.key())));
            const auto* role = message->if_contains("role");
            const auto* content = message->if_contains("content");
            if (role == nullptr || !role->is_string()) return bad(path + ".role", "Must be a string.");
            if (content == nullptr) return bad(path + ".content", "Missing.");
            last_role = view(role->get_string());
            if (last_role == "system") {
                if (i != 0) return bad(path + ".role", "The system message comes first.");
                if (!content->is_string()) return bad(path + ".content", "Must be a string.");
            } else if (last_role == "assistant") {
                if (!content->is_string()) return bad(path + ".content", "Must be a string.");
                ++request.turns;
            } else if (last_role == "user") {
                std::vector<Part> parts;
                if (auto wrong = check_content(*content, path + ".content", parts)) return wrong;
                for (const auto& part : parts) request.images += part.is_image ? 1 : 0;
                if (!has_user) request.parts = std::move(parts);
                has_user = true;
            } else {
                return bad(path + ".role", fmt::format("Invalid value: '{}'.", last_role));
            }
        }
        if (last_role != "user") return bad("messages", "The last message must be the user's.");
        return std::nullopt;
    }

    static std::optional<Violation> check_content(const json::value& content, const std::string& path,
                                                  std::vector<Part>& parts) {
        if (content.is_string()) {
            if (content.get_string().empty()) return bad(path, "Must not be empty.");
            parts.push_back({false, std::string(view(content.get_string()))});
            return std::nullopt;
        }
        if (!content.is_array() || content.get_array().empty())
            return bad(path, "Must be a string or an array of parts.");
        for (std::size_t i = 0; i < content.get_array().size(); ++i) {
            const auto at = fmt::format("{}[{}]", path, i);
            const auto* part = content.get_array()[i].if_object();
            const auto* type = part == nullptr ? nullptr : part->if_contains("type");
            if (type == nullptr || !type->is_string() || part->size() != 2)
                return bad(at, "Must have a type and its content.");
            if (view(type->get_string()) == "text") {
                const auto* text = part->if_contains("text");
                if (text == nullptr || !text->is_string() || text->get_string().empty())
                    return bad(at + ".text", "Must be a non-empty string.");
                parts.push_back({false, std::string(view(text->get_string()))});
            } else if (view(type->get_string()) == "image_url") {
                const auto* image = part->if_contains("image_url");
                if (image == nullptr || !image->is_object())
                    return bad(at + ".image_url", "Must be an object.");
                if (auto wrong = check_image(image->get_object(), at + ".image_url", parts)) return wrong;
            } else {
                return bad(at + ".type", "Invalid value.");
            }
        }
        return std::nullopt;
    }

    static std::optional<Violation> check_image(const json::object& image, const std::string& path,
                                                std::vector<Part>& parts) {
        for (const auto& member : image)
            if (view(member.key()) != "url" && view(member.key()) != "detail")
                return bad(path, "Unknown member.");
        const auto* url = image.if_contains("url");
        if (url == nullptr || !url->is_string()) return bad(path + ".url", "Must be a string.");
        const auto text = view(url->get_string());
        const auto comma = text.find(";base64,");
        if (!text.starts_with("data:") || comma == std::string_view::npos)
            return bad(path + ".url", "Must be a data URL.");
        const auto bytes = decode_base64(text.substr(comma + 8));
        if (!bytes) return bad(path + ".url", "The base64 is broken.");
        if (!decode_picture(text.substr(5, comma - 5), *bytes))
            return bad(path + ".url", "The picture cannot be decoded.");
        parts.push_back({true, std::string(text)});
        return std::nullopt;
    }

    std::optional<Violation> check_format(const json::value& value, ChatRequest& request) {
        const auto* format = value.if_object();
        const auto* type = format == nullptr ? nullptr : format->if_contains("type");
        if (type == nullptr || !type->is_string()) return bad("response_format.type", "Must be a string.");
        if (view(type->get_string()) == "text") return std::nullopt;
        const auto* body = format->if_contains("json_schema");
        if (view(type->get_string()) != "json_schema" || body == nullptr || !body->is_object() ||
            format->size() != 2)
            return bad("response_format", "Must be text or json_schema with its json_schema.");
        bool is_strict = false;
        for (const auto& member : body->get_object()) {
            const auto name = view(member.key());
            if (name == "strict" && member.value().is_bool())
                is_strict = member.value().get_bool();
            else if (name == "name" && member.value().is_string())
                continue;
            else if (name == "schema" && member.value().is_object())
                request.schema = member.value();
            else
                return bad("response_format.json_schema." + std::string(name),
                           "Unknown, or of the wrong type.");
        }
        const auto* name = body->get_object().if_contains("name");
        if (name == nullptr || name->get_string().empty() || name->get_string().size() > 64)
            return bad("response_format.json_schema.name", "Must have 1 to 64 characters.");
        if (!request.schema) return bad("response_format.json_schema.schema", "Missing.");
        const auto* root_type = request.schema->get_object().if_contains("type");
        if (is_strict && (root_type == nullptr || *root_type != json::value("object")))
            return bad("response_format.json_schema.schema", "A strict schema must be of type object.");
        return check_schema(*request.schema, "response_format.json_schema.schema", is_strict, 0);
    }

    static std::optional<Violation> check_type(const json::value& type, const std::string& path) {
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

    std::optional<Violation> check_schema(const json::value& value, const std::string& path, bool is_strict,
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
                    if (auto wrong = check_schema(member.value(),
                                                  fmt::format("{}.{}.{}", path, group, view(member.key())),
                                                  is_strict, depth + 1))
                        return wrong;
            }
        return is_strict ? check_closed(schema, path) : std::nullopt;
    }

    static std::optional<Violation> check_closed(const json::object& schema, const std::string& path) {
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
};

}  // namespace stand_in
