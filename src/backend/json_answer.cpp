#include "backend/json_answer.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "backend/json_text.h"
#include "backend/pattern.h"
#include "backend/segments.h"

namespace sheaf::backend {
namespace {

namespace json = boost::json;
using core::TimeFormat;

constexpr std::size_t kDepthMax = 128;
// Branches of anyOf multiply on the way down; a check of an honest document needs a few steps a value.
constexpr std::size_t kStepsMax = 2'000'000;
constexpr std::chrono::seconds kTimeMax{2};
constexpr const char* kHms = "^[0-9]{2,}:[0-5][0-9]:[0-5][0-9]$";
constexpr const char* kHmsMillis = R"(^[0-9]{2,}:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}$)";

std::string_view view(json::string_view text) {
    return {text.data(), text.size()};
}

std::optional<std::string_view> text_member(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_string()) return std::nullopt;
    return view(member->get_string());
}

TimeFormat time_format(std::string_view name) {
    if (name == "hh:mm:ss") return TimeFormat::hms;
    if (name == "hh:mm:ss.fff") return TimeFormat::hms_millis;
    return TimeFormat::seconds;
}

bool is_time_name(std::string_view name) {
    return name == "start_time" || name == "end_time";
}

bool is_required(const json::object& schema, std::string_view name) {
    const auto* required = schema.if_contains("required");
    if (required == nullptr || !required->is_array()) return false;
    for (const auto& element : required->get_array())
        if (element.is_string() && view(element.get_string()) == name) return true;
    return false;
}

// The declared names in the order of the result: as declared, but the first is a required one if there is
// any.
std::vector<std::string_view> names_in_order(const json::object& schema, const json::object& properties) {
    std::vector<std::string_view> names;
    for (const auto& property : properties) names.push_back(view(property.key()));
    if (names.empty() || is_required(schema, names.front())) return names;
    for (auto name = names.begin(); name != names.end(); ++name) {
        if (!is_required(schema, *name)) continue;
        std::rotate(names.begin(), name, name + 1);
        break;
    }
    return names;
}

bool equal(const json::value& left, const json::value& right) {
    if (left.is_number() && right.is_number()) return left.to_number<double>() == right.to_number<double>();
    return left == right;
}

// Makes the schema one that any constrained decoder knows.
class Translation {
public:
    json::value translate(const json::value& schema, std::string_view name, std::size_t depth) {
        if (!schema.is_object() || depth > kDepthMax) return schema;
        const auto& from = schema.get_object();
        json::object to;
        for (const auto& member : from) {
            const auto key = view(member.key());
            if (key == "properties" && member.value().is_object()) {
                to[key] = properties(from, member.value().get_object(), depth);
            } else if (key == "$defs" && member.value().is_object()) {
                json::object defs;
                for (const auto& def : member.value().get_object())
                    defs[def.key()] = translate(def.value(), {}, depth + 1);
                to[key] = std::move(defs);
            } else if (key == "items") {
                to[key] = translate(member.value(), {}, depth + 1);
            } else if (key == "anyOf" && member.value().is_array()) {
                json::array branches;
                for (const auto& branch : member.value().get_array())
                    branches.push_back(translate(branch, name, depth + 1));
                to[key] = std::move(branches);
            } else {
                to[key] = member.value();
            }
        }
        const auto type = text_member(from, "type");
        if (type == "timestamp") make_time(to, time_format(text_member(from, "format").value_or("seconds")));
        if (type == "string" && is_time_name(name) && !from.contains("format") && !from.contains("pattern"))
            to["pattern"] = kHmsMillis;
        if (type == "object" || from.contains("properties")) close(to);
        return to;
    }

    bool strict() const { return strict_; }

private:
    json::object properties(const json::object& schema, const json::object& from, std::size_t depth) {
        json::object to;
        for (const auto name : names_in_order(schema, from)) {
            strict_ = strict_ && is_required(schema, name);
            to[name] = translate(from.at(name), name, depth + 1);
        }
        return to;
    }

    void close(json::object& schema) {
        if (schema.contains("properties"))
            schema["additionalProperties"] = false;
        else
            strict_ = false;
    }

    static void make_time(json::object& schema, TimeFormat format) {
        schema.erase("format");
        schema["type"] = format == TimeFormat::seconds ? "number" : "string";
        if (format != TimeFormat::seconds) schema["pattern"] = format == TimeFormat::hms ? kHms : kHmsMillis;
        if (!schema.contains("description"))
            schema["description"] = "A time in the video, as in the labels of the frames.";
    }

    bool strict_ = true;
};

// Checks a value against the client's schema and converts it on the way.
class Fitting {
public:
    explicit Fitting(const json::value& root) : root_(root) {}

    Result<json::value> fit(const json::value& schema, const json::value& value, const std::string& path,
                            std::string_view name, std::size_t depth) {
        if (++steps_ > kStepsMax || depth > kDepthMax) return wrong(path, "too deep or too complex to check");
        if (schema.is_bool() && !schema.get_bool()) return wrong(path, "nothing is allowed here");
        if (!schema.is_object()) return value;
        const auto& rules = schema.get_object();
        json::value fitted = value;
        if (const auto ref = text_member(rules, "$ref")) {
            const auto* target = resolve(*ref);
            if (target == nullptr)
                return wrong(path, fmt::format("the schema refers to {}, which is not there", *ref));
            auto result = fit(*target, fitted, path, name, depth + 1);
            if (!result) return result;
            fitted = *std::move(result);
        }
        if (const auto* any = rules.if_contains("anyOf"); any != nullptr && any->is_array()) {
            auto result = fit_any(any->get_array(), fitted, path, name, depth);
            if (!result) return result;
            fitted = *std::move(result);
        }
        if (const auto* type = rules.if_contains("type")) {
            auto result = fit_type(rules, *type, fitted, path, name);
            if (!result) return result;
            fitted = *std::move(result);
        }
        if (auto kept = check_choice(rules, fitted, path); !kept) return std::unexpected(kept.error());
        if (fitted.is_number())
            if (auto kept = check_bounds(rules, fitted.to_number<double>(), path); !kept)
                return std::unexpected(kept.error());
        if (fitted.is_string())
            if (auto kept = check_text(rules, view(fitted.get_string()), path); !kept)
                return std::unexpected(kept.error());
        if (fitted.is_array()) return fit_array(rules, fitted.get_array(), path, depth);
        if (fitted.is_object()) return fit_object(rules, fitted.get_object(), path, depth);
        return fitted;
    }

private:
    static std::unexpected<Error> wrong(const std::string& path, std::string_view why) {
        return fail(ErrorCode::invalid, fmt::format("{}: {}", path.empty() ? "the document" : path, why),
                    path);
    }

    const json::value* resolve(std::string_view ref) const {
        if (!ref.starts_with('#')) return nullptr;
        boost::system::error_code error;
        return root_.find_pointer(ref.substr(1), error);
    }

    Result<json::value> fit_any(const json::array& branches, const json::value& value,
                                const std::string& path, std::string_view name, std::size_t depth) {
        std::string reasons;
        for (const auto& branch : branches) {
            auto result = fit(branch, value, path, name, depth + 1);
            if (result) return result;
            if (reasons.size() < 300) reasons += (reasons.empty() ? "" : "; or ") + result.error().message;
        }
        return wrong(path, "fits none of the alternatives: " + reasons);
    }

    static Result<json::value> fit_type(const json::object& rules, const json::value& type,
                                        const json::value& value, const std::string& path,
                                        std::string_view name) {
        if (type.is_string()) return fit_one_type(rules, view(type.get_string()), value, path, name);
        if (!type.is_array()) return value;
        std::string names;
        for (const auto& one : type.get_array()) {
            if (!one.is_string()) continue;
            const auto word = view(one.get_string());
            if (auto result = fit_one_type(rules, word, value, path, name)) return result;
            names += (names.empty() ? "" : " or ") + std::string(word);
        }
        return wrong(path, "expected " + names);
    }

    static Result<json::value> fit_one_type(const json::object& rules, std::string_view type,
                                            const json::value& value, const std::string& path,
                                            std::string_view name) {
        if (type == "timestamp")
            return fit_time(time_format(text_member(rules, "format").value_or("seconds")), value, path);
        if (is_time_name(name)) {
            if (type == "number" && value.is_string()) return fit_time(TimeFormat::seconds, value, path);
            if (type == "string" && !rules.contains("format"))
                return fit_time(TimeFormat::hms_millis, value, path);
            if (type == "integer")
                if (const auto seconds = seconds_of(value)) return json::value(std::llround(*seconds));
        }
        if (type == "integer") {
            if (value.is_int64() || value.is_uint64()) return value;
            if (const auto* number = value.if_double(); number != nullptr && std::trunc(*number) == *number &&
                                                        std::abs(*number) <= 9007199254740992.0)
                return json::value(static_cast<std::int64_t>(*number));
            return wrong(path, "expected an integer");
        }
        const bool fits = (type == "string" && value.is_string()) ||
                          (type == "number" && value.is_number()) || (type == "boolean" && value.is_bool()) ||
                          (type == "null" && value.is_null()) || (type == "array" && value.is_array()) ||
                          (type == "object" && value.is_object());
        if (!fits) return wrong(path, fmt::format("expected type {}", type));
        return value;
    }

    static std::optional<double> seconds_of(const json::value& value) {
        if (value.is_string()) return parse_time(view(value.get_string()));
        if (!value.is_number()) return std::nullopt;
        const auto seconds = value.to_number<double>();
        if (!(std::abs(seconds) <= 1e9)) return std::nullopt;
        return seconds;
    }

    static Result<json::value> fit_time(TimeFormat format, const json::value& value,
                                        const std::string& path) {
        const auto seconds = seconds_of(value);
        if (!seconds) return wrong(path, "expected a time in seconds or as hh:mm:ss.fff");
        // A number goes through as it came.
        if (format == TimeFormat::seconds && value.is_number()) return value;
        return parse_json(render_time(*seconds, format));
    }

    static Result<> check_choice(const json::object& rules, const json::value& value,
                                 const std::string& path) {
        if (const auto* constant = rules.if_contains("const");
            constant != nullptr && !equal(*constant, value))
            return wrong(path, fmt::format("expected {}", json_text(*constant)));
        const auto* choices = rules.if_contains("enum");
        if (choices == nullptr || !choices->is_array()) return {};
        for (const auto& choice : choices->get_array())
            if (equal(choice, value)) return {};
        return wrong(path, fmt::format("not one of {}", json_text(*choices).substr(0, 300)));
    }

    static Result<> check_bounds(const json::object& rules, double number, const std::string& path) {
        const auto bound = [&](std::string_view name) -> std::optional<double> {
            const auto* member = rules.if_contains(name);
            if (member == nullptr || !member->is_number()) return std::nullopt;
            return member->to_number<double>();
        };
        if (const auto least = bound("minimum"); least && number < *least)
            return wrong(path, fmt::format("less than {}", *least));
        if (const auto most = bound("maximum"); most && number > *most)
            return wrong(path, fmt::format("greater than {}", *most));
        if (const auto below = bound("exclusiveMinimum"); below && number <= *below)
            return wrong(path, fmt::format("not greater than {}", *below));
        if (const auto above = bound("exclusiveMaximum"); above && number >= *above)
            return wrong(path, fmt::format("not less than {}", *above));
        return {};
    }

    Result<> check_text(const json::object& rules, std::string_view text, const std::string& path) {
        if (const auto format = text_member(rules, "format");
            format && text_member(rules, "type") != "timestamp" && !matches_format(*format, text))
            return wrong(path, fmt::format("not of the format {}", *format));
        const auto pattern = text_member(rules, "pattern");
        if (!pattern) return {};
        if (std::chrono::steady_clock::now() > give_up_at_)
            return wrong(path, "the patterns take too long to check");
        const auto found = matches_pattern(*pattern, text);
        if (!found) return wrong(path, found.error().message);
        if (!*found) return wrong(path, fmt::format("does not match {}", *pattern));
        return {};
    }

    Result<json::value> fit_array(const json::object& rules, const json::array& array,
                                  const std::string& path, std::size_t depth) {
        if (const auto* least = rules.if_contains("minItems");
            least != nullptr && least->is_number() &&
            static_cast<double>(array.size()) < least->to_number<double>())
            return wrong(path, "has too few elements");
        const auto* items = rules.if_contains("items");
        if (items == nullptr) return json::value(array);
        json::array fitted;
        fitted.reserve(array.size());
        for (std::size_t i = 0; i < array.size(); ++i) {
            auto element = fit(*items, array[i], fmt::format("{}[{}]", path, i), {}, depth + 1);
            if (!element) return element;
            fitted.push_back(*std::move(element));
        }
        return fitted;
    }

    Result<json::value> fit_object(const json::object& rules, const json::object& object,
                                   const std::string& path, std::size_t depth) {
        if (const auto* required = rules.if_contains("required"); required != nullptr && required->is_array())
            for (const auto& name : required->get_array())
                if (name.is_string() && !object.contains(name.get_string()))
                    return wrong(path, fmt::format("the member {} is missing", json_text(name)));
        const auto* properties = rules.if_contains("properties");
        if (properties == nullptr || !properties->is_object()) return json::value(object);
        json::object fitted;
        for (const auto name : names_in_order(rules, properties->get_object())) {
            const auto* value = object.if_contains(name);
            if (value == nullptr) continue;
            auto member =
                fit(properties->get_object().at(name), *value,
                    path.empty() ? std::string(name) : fmt::format("{}.{}", path, name), name, depth + 1);
            if (member) {
                fitted[name] = *std::move(member);
            } else if (!value->is_null() || is_required(rules, name)) {
                // Strict decoders cannot leave a member out and write null instead.
                return member;
            }
        }
        if (const auto* required = rules.if_contains("required"); required != nullptr && required->is_array())
            for (const auto& name : required->get_array())
                if (name.is_string() && !fitted.contains(name.get_string()))
                    fitted[name.get_string()] = object.at(name.get_string());
        return fitted;
    }

    const json::value& root_;
    std::size_t steps_ = 0;
    const std::chrono::steady_clock::time_point give_up_at_ = std::chrono::steady_clock::now() + kTimeMax;
};

Result<> check_patterns(const json::value& schema) {
    if (schema.is_array()) {
        for (const auto& element : schema.get_array())
            if (auto fine = check_patterns(element); !fine) return fine;
    } else if (schema.is_object()) {
        for (const auto& member : schema.get_object()) {
            if (view(member.key()) == "pattern" && member.value().is_string()) {
                if (auto fine = check_pattern(view(member.value().get_string())); !fine) return fine;
            } else if (auto fine = check_patterns(member.value()); !fine) {
                return fine;
            }
        }
    }
    return {};
}

}  // namespace

Result<JsonAnswer> JsonAnswer::make(std::string_view client_schema) {
    auto schema = parse_json(client_schema);
    if (!schema) return fail(ErrorCode::invalid, "the schema is " + schema.error().message);
    if (auto fine = check_patterns(*schema); !fine) return std::unexpected(fine.error());
    JsonAnswer answer;
    answer.schema_ = *std::move(schema);
    Translation translation;
    answer.for_model_ = translation.translate(answer.schema_, {}, 0);
    answer.strict_ = translation.strict() && answer.for_model_.is_object() &&
                     text_member(answer.for_model_.get_object(), "type") == "object";
    return answer;
}

Result<std::string> JsonAnswer::settle(std::string_view text) const {
    const auto document = parse_json(without_fence(text));
    if (!document) return std::unexpected(document.error());
    const auto fitted = Fitting(schema_).fit(schema_, *document, {}, {}, 0);
    if (!fitted) return std::unexpected(fitted.error());
    return json_text(*fitted);
}

std::string_view without_fence(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const auto trim = [&](std::string_view part) {
        const auto first = part.find_first_not_of(kBlank);
        if (first == std::string_view::npos) return std::string_view{};
        return part.substr(first, part.find_last_not_of(kBlank) - first + 1);
    };
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    text = trim(text);
    if (!text.starts_with("```")) return text;
    const auto line_end = text.find('\n');
    if (line_end == std::string_view::npos) return text;
    text.remove_prefix(line_end + 1);
    if (const auto fence = text.rfind("```"); fence != std::string_view::npos) text = text.substr(0, fence);
    return trim(text);
}

}  // namespace sheaf::backend
