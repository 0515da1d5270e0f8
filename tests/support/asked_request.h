#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/inference.h"
#include "jsonl/document.h"
#include "picture_check.h"

// What the stand-in is asked, in whatever protocol, and what its strict readers of requests share.
namespace stand_in {

namespace json = boost::json;
using sheaf::core::Protocol;

inline std::string_view view(json::string_view text) {
    return {text.data(), text.size()};
}

// One part of what the user says, as it stands in the request.
struct Part {
    bool is_image = false;
    std::string text;  // or the data URL
};

struct AskedTool {
    std::string name;
    json::value parameters;
};

struct AskedRequest {
    Protocol protocol = Protocol::chat_completions;
    std::string model;
    std::vector<Part> parts;  // of the first user message
    std::size_t turns = 0;    // assistant messages: above 0 it is a second try
    std::size_t images = 0;
    std::optional<json::value> schema;
    std::vector<AskedTool> tools;
    std::optional<std::string> forced_tool;  // empty: any
    bool is_streamed = false;
    bool wants_usage = false;
    bool wants_base64 = false;        // embeddings
    std::vector<std::string> inputs;  // what to embed
};

// What is wrong with a request: the path of the fault and a sentence.
struct Violation {
    std::string param;
    std::string message;
};
using Verdict = std::optional<Violation>;

inline Violation bad(std::string param, std::string message) {
    return {std::move(param), std::move(message)};
}

inline const json::value* find(const json::object& object, std::string_view name) {
    return object.if_contains(name);
}

inline std::optional<std::string_view> find_text(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_string()) return std::nullopt;
    return view(member->get_string());
}

// The first member that is none of `known`.
inline Verdict check_known(const json::object& object, const std::string& path,
                           std::initializer_list<std::string_view> known) {
    for (const auto& member : object)
        if (std::find(known.begin(), known.end(), view(member.key())) == known.end())
            return bad(path, fmt::format("Unknown member {}.", view(member.key())));
    return std::nullopt;
}

inline Verdict check_number(const json::value& value, const std::string& path, double least, double most) {
    if (!value.is_number() || value.to_number<double>() < least || value.to_number<double>() > most)
        return bad(path, fmt::format("Must be a number from {} to {}.", least, most));
    return std::nullopt;
}

inline Verdict check_count(const json::value& value, const std::string& path) {
    if ((!value.is_int64() && !value.is_uint64()) || value.to_number<std::int64_t>() < 1)
        return bad(path, "Must be an integer from 1.");
    return std::nullopt;
}

inline Verdict check_flag(const json::value& value, const std::string& path) {
    if (!value.is_bool()) return bad(path, "Must be a boolean.");
    return std::nullopt;
}

inline Verdict check_string(const json::value& value, const std::string& path) {
    if (!value.is_string() || value.get_string().empty()) return bad(path, "Must be a non-empty string.");
    return std::nullopt;
}

inline Verdict check_object(const json::value& value, const std::string& path) {
    if (!value.is_object()) return bad(path, "Must be an object.");
    return std::nullopt;
}

inline Verdict check_data_url(std::string_view url, const std::string& path) {
    const auto comma = url.find(";base64,");
    if (!url.starts_with("data:") || comma == std::string_view::npos) return bad(path, "Must be a data URL.");
    const auto bytes = decode_base64(url.substr(comma + 8));
    if (!bytes) return bad(path, "The base64 is broken.");
    if (!decode_picture(url.substr(5, comma - 5), *bytes)) return bad(path, "The picture cannot be decoded.");
    return std::nullopt;
}

// The body as an object. Duplicate keys and broken UTF-8 are faults; Boost.JSON lets the first pass.
inline Verdict parse_body(std::string_view body, json::value& document) {
    if (const auto strict = sheaf::jsonl::Document::parse(body); !strict)
        return bad("", strict.error().message);
    boost::system::error_code error;
    document = json::parse({body.data(), body.size()}, error);
    if (error || !document.is_object()) return bad("", "the body is not a JSON object");
    return std::nullopt;
}

inline Verdict check_required(const json::object& object, std::initializer_list<std::string_view> names) {
    for (const auto name : names)
        if (!object.contains(name))
            return bad(std::string(name), fmt::format("Missing required parameter: '{}'.", name));
    return std::nullopt;
}

}  // namespace stand_in
