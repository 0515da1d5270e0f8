#include "protocol/value.h"

#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "protocol/members.h"

namespace sheaf::protocol {
namespace {

// A member's name may be of any length; a path shows its beginning.
constexpr std::size_t kShownNameMax = 64;

std::string dotted(std::string_view parent, std::string_view part) {
    return parent.empty() ? std::string(part) : fmt::format("{}.{}", parent, part);
}

std::optional<std::uint64_t> to_count(dom::element json) {
    std::uint64_t count = 0;
    if (json.get(count) == simdjson::SUCCESS) return count;
    double real = 0;
    constexpr double kExact = 9007199254740992.0;
    if (!json.is_double() || json.get(real) != simdjson::SUCCESS) return std::nullopt;
    if (std::trunc(real) != real || real < 0 || real > kExact) return std::nullopt;
    return static_cast<std::uint64_t>(real);
}

}  // namespace

std::optional<Value> Value::find(std::string_view name) const {
    dom::object object;
    if (json_.get(object) != simdjson::SUCCESS) return std::nullopt;
    const auto found = find_member(object, name);
    if (!found) return std::nullopt;
    return member(name, *found);
}

std::string Value::path() const {
    std::vector<const Value*> chain;
    for (const Value* value = this; value->parent_ != nullptr; value = value->parent_) chain.push_back(value);
    std::string path;
    for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
        const Value& value = **at;
        const bool is_element = value.name_.data() == nullptr;
        if (is_element && style_ == PathStyle::bracketed)
            path = jsonl::join_path(path, value.index_);
        else if (is_element)
            path = dotted(path, fmt::to_string(value.index_));
        else
            path = dotted(path, value.name_.substr(0, kShownNameMax));
    }
    return path;
}

std::unexpected<Error> Value::refuse(std::string message) const {
    return fail(ErrorCode::invalid, std::move(message), path());
}

std::unexpected<Error> untranslatable(const Value& value, std::string_view what) {
    return value.refuse(fmt::format("The model server speaks another protocol, which has no {}.", what));
}

Result<std::string_view> as_text(const Value& value) {
    std::string_view text;
    if (value.json().get(text) != simdjson::SUCCESS) return value.refuse("Input should be a valid string");
    return text;
}

Result<std::string_view> required_text(const Value& object, std::string_view name) {
    if (auto fits = expect_object(object); !fits) return std::unexpected(fits.error());
    const auto member = object.find(name);
    if (!member) return object.member(name, object.json()).refuse("Field required");
    return as_text(*member);
}

Result<bool> as_flag(const Value& value) {
    bool flag = false;
    if (value.json().get(flag) != simdjson::SUCCESS) return value.refuse("Input should be a valid boolean");
    return flag;
}

Result<std::uint64_t> as_count(const Value& value) {
    if (const auto count = to_count(value.json())) return *count;
    return value.refuse(value.json().is_number()
                            ? "Input should be a whole number, greater than or equal to 0"
                            : "Input should be a valid integer");
}

Result<> read_text(const Value& value, std::string& target) {
    const auto text = as_text(value);
    if (!text) return std::unexpected(text.error());
    target = *text;
    return {};
}

Result<> read_flag(const Value& value, std::optional<bool>& target) {
    const auto flag = as_flag(value);
    if (!flag) return std::unexpected(flag.error());
    target = *flag;
    return {};
}

Result<> read_count(const Value& value, std::optional<std::uint64_t>& target) {
    const auto count = as_count(value);
    if (!count) return std::unexpected(count.error());
    target = *count;
    return {};
}

Result<> read_number(const Value& value, std::optional<std::string>& target) {
    if (!value.json().is_number()) return value.refuse("Input should be a valid number");
    target = json_text(value.json());
    return {};
}

Result<> read_schema(const Value& value, std::string& target) {
    if (auto fits = expect_object(value); !fits) return fits;
    target = json_text(value.json());
    return {};
}

Result<> expect_object(const Value& value) {
    if (!value.json().is_object()) return value.refuse("Input should be an object");
    return {};
}

Result<> expect_array(const Value& value) {
    if (!value.json().is_array()) return value.refuse("Input should be a valid array");
    return {};
}

}  // namespace sheaf::protocol
