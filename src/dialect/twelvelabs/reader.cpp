#include "dialect/twelvelabs/reader.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

// A member's name may hold anything and be of any length; messages and paths show its beginning.
std::string shown(std::string_view name) {
    constexpr std::size_t kShown = 64;
    return std::string(name.substr(0, kShown));
}

}  // namespace

void Findings::invalid(std::string path, std::string_view what) {
    std::string subject = path.empty() ? "The request body" : path;
    add({400, std::string(code::kParameterInvalid), fmt::format("{} {}.", subject, what), std::move(path)});
}

void Findings::missing(std::string path) {
    add({400, std::string(code::kParameterNotProvided), fmt::format("{} is required.", path), path});
}

void Findings::unknown(std::string path) {
    add({400, std::string(code::kParameterUnknown), fmt::format("{} is not a known parameter.", path), path});
}

void Findings::unsupported(std::string path, std::string_view what) {
    add({422, std::string(code::kParameterInvalid), fmt::format("{} {}.", path, what), path});
}

ObjectReader::ObjectReader(dom::element value, std::string path, Findings& findings)
    : path_(std::move(path)), findings_(&findings) {
    if (value.is_object())
        object_ = value.get_object().value_unsafe();
    else
        findings.invalid(path_, "must be an object");
}

std::optional<dom::element> ObjectReader::find(std::string_view name, Need need) {
    if (!object_) return std::nullopt;
    asked_.push_back(name);
    dom::element value;
    if (object_->at_key(name).get(value) == simdjson::SUCCESS && !value.is_null()) return value;
    if (need == Need::required) findings_->missing(path_of(name));
    return std::nullopt;
}

std::optional<std::string> ObjectReader::text(std::string_view name, Need need) {
    const auto value = find(name, need);
    if (!value) return std::nullopt;
    std::string_view text;
    if (value->get(text) == simdjson::SUCCESS) return std::string(text);
    findings_->invalid(path_of(name), "must be a string");
    return std::nullopt;
}

std::optional<double> ObjectReader::number(std::string_view name, Need need) {
    const auto value = find(name, need);
    if (!value) return std::nullopt;
    double number = 0;
    if (value->is_number() && value->get(number) == simdjson::SUCCESS) return number;
    findings_->invalid(path_of(name), "must be a number");
    return std::nullopt;
}

std::optional<std::int64_t> ObjectReader::integer(std::string_view name, Need need) {
    const auto value = find(name, need);
    if (!value) return std::nullopt;
    if (const auto number = to_integer(*value)) return number;
    findings_->invalid(path_of(name), "must be an integer");
    return std::nullopt;
}

std::optional<bool> ObjectReader::flag(std::string_view name, Need need) {
    const auto value = find(name, need);
    if (!value) return std::nullopt;
    bool flag = false;
    if (value->get(flag) == simdjson::SUCCESS) return flag;
    findings_->invalid(path_of(name), "must be true or false");
    return std::nullopt;
}

std::optional<dom::array> ObjectReader::array(std::string_view name, Need need) {
    const auto value = find(name, need);
    if (!value) return std::nullopt;
    dom::array array;
    if (value->get(array) == simdjson::SUCCESS) return array;
    findings_->invalid(path_of(name), "must be an array");
    return std::nullopt;
}

std::optional<dom::object> ObjectReader::object(std::string_view name, Need need) {
    const auto value = find(name, need);
    if (!value) return std::nullopt;
    dom::object object;
    if (value->get(object) == simdjson::SUCCESS) return object;
    findings_->invalid(path_of(name), "must be an object");
    return std::nullopt;
}

void ObjectReader::finish() {
    if (!object_) return;
    for (const auto& member : *object_) {
        if (std::ranges::find(asked_, member.key) == asked_.end()) {
            findings_->unknown(path_of(shown(member.key)));
            return;
        }
    }
}

std::string ObjectReader::path_of(std::string_view name) const {
    return jsonl::join_path(path_, name);
}

std::optional<std::int64_t> to_integer(dom::element value) {
    std::int64_t number = 0;
    if (value.is_int64() && value.get(number) == simdjson::SUCCESS) return number;
    double real = 0;
    constexpr double kExact = 9007199254740992.0;
    if (!value.is_double() || value.get(real) != simdjson::SUCCESS) return std::nullopt;
    if (std::trunc(real) != real || std::abs(real) > kExact) return std::nullopt;
    return static_cast<std::int64_t>(real);
}

bool is_plain_name(std::string_view text, std::size_t length_max) {
    if (text.empty() || text.size() > length_max) return false;
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
    });
}

}  // namespace sheaf::dialect::twelvelabs
