#include "dialect/anthropic/batch_request.h"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "dialect/anthropic/message_request.h"
#include "jsonl/splitter.h"

namespace sheaf::dialect::anthropic {
namespace {

constexpr std::size_t kCustomIdCharactersMax = 64;
// A JSON string of the longest custom_id is no longer, even when every character is escaped.
constexpr std::size_t kCustomIdTextMax = kCustomIdCharactersMax * 6 + 2;
constexpr std::size_t kShownKey = 64;

// The members of an object that may have just these, as text; an empty view is an absent member.
struct KnownMember {
    std::string_view name;
    std::string_view& text;
};

Result<> read_members(std::string_view object, std::span<const KnownMember> known) {
    if (!object.starts_with('{')) return fail(ErrorCode::invalid, "Input should be an object");
    auto read = jsonl::for_each_member(object, [&](std::string_view key, std::string_view value) -> Result<> {
        const auto member = std::ranges::find(known, key, &KnownMember::name);
        const auto refuse = [key](std::string message) {
            return fail(ErrorCode::invalid, std::move(message), std::string(key.substr(0, kShownKey)));
        };
        if (member == known.end()) return refuse("Extra inputs are not permitted");
        if (!member->text.empty()) return refuse("The member stands twice in one object");
        member->text = value;
        return {};
    });
    if (!read) return read;
    for (const KnownMember& member : known)
        if (member.text.empty()) return fail(ErrorCode::invalid, "Field required", std::string(member.name));
    return {};
}

std::string_view without_blanks_around(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
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
    const auto refuse = [](std::string message) {
        return fail(ErrorCode::invalid, std::move(message), "custom_id");
    };
    if (!text.starts_with('"')) return refuse("Input should be a valid string");
    const auto refuse_length = [&] {
        return refuse(fmt::format("String should have at most {} characters", kCustomIdCharactersMax));
    };
    if (text.size() > kCustomIdTextMax) return refuse_length();
    auto id = read_string(text);
    if (!id) return refuse(id.error().message);
    if (id->size() > kCustomIdCharactersMax && std::ranges::all_of(*id, is_plain)) return refuse_length();
    if (id->empty()) return refuse("String should have at least 1 character");
    if (!std::ranges::all_of(*id, is_plain))
        return refuse("String should match pattern '^[a-zA-Z0-9_-]{1,64}$'");
    return id;
}

Error at_item(std::size_t index, Error error) {
    error.field = error.field.empty() ? fmt::format("requests.{}", index)
                                      : fmt::format("requests.{}.{}", index, error.field);
    return error;
}

}  // namespace

Result<BatchRequest> BatchRequest::read_frame(std::string_view body, std::uint32_t items_max) {
    std::string_view requests;
    const std::array known{KnownMember{"requests", requests}};
    if (auto read = read_members(without_blanks_around(body), known); !read)
        return std::unexpected(read.error());
    const auto refuse = [](std::string message) {
        return fail(ErrorCode::invalid, std::move(message), "requests");
    };
    if (!requests.starts_with('[')) return refuse("Input should be an array");
    BatchRequest request(body);
    auto split = jsonl::for_each_element(requests, [&](std::size_t, std::string_view element) -> Result<> {
        request.texts_.push_back(element);
        if (request.texts_.size() <= items_max) return {};
        return refuse(fmt::format("Array should have at most {} items", items_max));
    });
    if (!split) return std::unexpected(split.error());
    if (request.texts_.empty()) return refuse("Array should have at least 1 item");
    request.items_.reserve(request.texts_.size());
    request.places_.reserve(request.texts_.size());
    return request;
}

Result<> BatchRequest::read_item(std::size_t index) {
    std::string_view custom_id_text;
    std::string_view params;
    const std::array known{KnownMember{"custom_id", custom_id_text}, KnownMember{"params", params}};
    if (auto read = read_members(texts_[index], known); !read)
        return std::unexpected(at_item(index, read.error()));
    auto custom_id = read_custom_id(custom_id_text);
    if (!custom_id) return std::unexpected(at_item(index, custom_id.error()));
    if (auto read = read_params(params); !read) return std::unexpected(at_item(index, read.error()));
    items_.push_back({.custom_id = std::move(*custom_id),
                      .subject = {},
                      .body_offset = static_cast<std::uint64_t>(params.data() - body_.data()),
                      .body_bytes = params.size()});
    const auto [first, is_new] = places_.emplace(*items_.back().custom_id, index);
    if (is_new) return {};
    return fail(ErrorCode::invalid,
                fmt::format("Must be unique; it is also that of requests.{}", first->second),
                fmt::format("requests.{}.custom_id", index));
}

Result<> BatchRequest::read_params(std::string_view text) {
    if (!text.starts_with('{')) return fail(ErrorCode::invalid, "Input should be an object", "params");
    // Its line will say that it is too large, whatever it holds.
    if (text.size() > kMessageBytesMax) return {};
    const auto end = static_cast<std::size_t>(text.data() + text.size() - body_.data());
    auto checked = checker_.check(text, body_.size() - end);
    if (!checked) checked.error().field = "params";
    return checked;
}

}  // namespace sheaf::dialect::anthropic
