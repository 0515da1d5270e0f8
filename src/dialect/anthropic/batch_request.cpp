#include "dialect/anthropic/batch_request.h"

#include <algorithm>

#include <fmt/format.h>

#include "dialect/anthropic/message_request.h"

namespace sheaf::dialect::anthropic {
namespace {

constexpr std::size_t kCustomIdCharactersMax = 64;
// A JSON string of the longest custom_id is no longer, even when every character is escaped.
constexpr std::size_t kCustomIdTextMax = kCustomIdCharactersMax * 6 + 2;
constexpr std::size_t kShownKey = 64;
constexpr const char* kRequests = "requests";

std::unexpected<Error> refuse(std::string message, std::string field) {
    return fail(ErrorCode::invalid, std::move(message), std::move(field));
}

std::unexpected<Error> refuse_member(std::string_view name) {
    return refuse("Extra inputs are not permitted", std::string(name.substr(0, kShownKey)));
}

// The JSON string `text`, whose pattern is checked afterwards.
Result<std::string> read_string(std::string_view text) {
    if (!text.contains('\\')) return std::string(text.substr(1, text.size() - 2));
    const auto document = jsonl::Document::parse(text);
    if (!document) return std::unexpected(document.error());
    return std::string(document->root().get_string().value_unsafe());
}

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

Result<std::string> read_custom_id(std::string_view text) {
    const std::string field = "custom_id";
    if (!text.starts_with('"')) return refuse("Input should be a valid string", field);
    const auto refuse_length = [&] {
        return refuse(fmt::format("String should have at most {} characters", kCustomIdCharactersMax), field);
    };
    if (text.size() > kCustomIdTextMax) return refuse_length();
    auto id = read_string(text);
    if (!id) return refuse(id.error().message, field);
    if (id->size() > kCustomIdCharactersMax && std::ranges::all_of(*id, is_plain)) return refuse_length();
    if (id->empty()) return refuse("String should have at least 1 character", field);
    if (!std::ranges::all_of(*id, is_plain))
        return refuse("String should match pattern '^[a-zA-Z0-9_-]{1,64}$'", field);
    return id;
}

std::unexpected<Error> refuse_item(std::size_t index, Error error) {
    return refuse(std::move(error.message), error.field.empty()
                                                ? fmt::format("{}.{}", kRequests, index)
                                                : fmt::format("{}.{}.{}", kRequests, index, error.field));
}

// Takes the value of a member that must stand once.
Result<> take_member(jsonl::PartReader& reader, std::string_view name, std::string_view& text) {
    if (!text.empty()) return refuse("The member stands twice in one object", std::string(name));
    const auto value = reader.value();
    if (!value) return std::unexpected(value.error());
    text = *value;
    return {};
}

}  // namespace

Result<bool> BatchRequest::read_next() {
    if (!has_begun_) {
        if (auto begun = begin(); !begun) return std::unexpected(begun.error());
        has_begun_ = true;
    }
    const auto more = reader_.next_element();
    if (!more) return std::unexpected(more.error());
    const auto read = *more ? read_item() : end();
    if (!read) return std::unexpected(read.error());
    return *more;
}

Result<> BatchRequest::begin() {
    if (reader_.peek() != '{') return refuse("Input should be an object", "");
    if (auto opened = reader_.open_object(); !opened) return opened;
    const auto name = reader_.next_member();
    if (!name) return std::unexpected(name.error());
    if (!*name) return refuse("Field required", kRequests);
    if (**name != kRequests) return refuse_member(**name);
    if (reader_.peek() != '[') return refuse("Input should be an array", kRequests);
    return reader_.open_array();
}

Result<> BatchRequest::end() {
    if (items_.empty()) return refuse("Array should have at least 1 item", kRequests);
    const auto name = reader_.next_member();
    if (!name) return std::unexpected(name.error());
    if (*name && **name == kRequests) return refuse("The member stands twice in one object", kRequests);
    if (*name) return refuse_member(**name);
    return reader_.finish();
}

Result<> BatchRequest::read_item() {
    const std::size_t index = items_.size();
    if (index == items_max_)
        return refuse(fmt::format("Array should have at most {} items", items_max_), kRequests);
    if (reader_.peek() != '{') return refuse_item(index, {.message = "Input should be an object"});
    if (auto opened = reader_.open_object(); !opened) return opened;
    std::string_view custom_id;
    std::string_view params;
    while (true) {
        const auto name = reader_.next_member();
        if (!name) return refuse_item(index, name.error());
        if (!*name) break;
        const bool is_id = **name == "custom_id";
        if (!is_id && **name != "params") return refuse_item(index, refuse_member(**name).error());
        if (auto taken = take_member(reader_, **name, is_id ? custom_id : params); !taken)
            return refuse_item(index, taken.error());
    }
    if (auto added = add_item(custom_id, params); !added) return refuse_item(index, added.error());
    return {};
}

Result<> BatchRequest::add_item(std::string_view custom_id, std::string_view params) {
    if (custom_id.empty()) return refuse("Field required", "custom_id");
    if (params.empty()) return refuse("Field required", "params");
    auto id = read_custom_id(custom_id);
    if (!id) return std::unexpected(id.error());
    if (auto checked = check_params(params); !checked) return checked;
    const auto [first, is_new] = places_.emplace(*id, items_.size());
    if (!is_new)
        return refuse(fmt::format("Must be unique; it is also that of {}.{}", kRequests, first->second),
                      "custom_id");
    items_.push_back({.custom_id = std::move(*id),
                      .subject = {},
                      .body_offset = static_cast<std::uint64_t>(params.data() - body_.data()),
                      .body_bytes = params.size()});
    return {};
}

Result<> BatchRequest::check_params(std::string_view text) {
    if (!text.starts_with('{')) return refuse("Input should be an object", "params");
    // Its line will say that it is too large, whatever it holds.
    if (text.size() > kMessageBytesMax) return {};
    const auto end = static_cast<std::size_t>(text.data() + text.size() - body_.data());
    if (auto checked = checker_.check(text, body_.size() - end); !checked)
        return refuse(std::move(checked.error().message), "params");
    return {};
}

}  // namespace sheaf::dialect::anthropic
