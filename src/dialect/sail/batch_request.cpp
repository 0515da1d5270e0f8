#include "dialect/sail/batch_request.h"

#include <algorithm>

#include <fmt/format.h>

#include "dialect/sail/members.h"
#include "jsonl/document.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::size_t kCustomIdMax = 64;
constexpr std::size_t kLabelMax = 128;
constexpr std::string_view kCustomId = "custom_id";
constexpr std::string_view kEndpoint = "endpoint";
constexpr std::string_view kLabel = "label";
constexpr std::string_view kRequests = "requests";
constexpr std::string_view kResponses = "/v1/responses";

bool is_digit_or_lower(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_custom_id(std::string_view text) {
    const auto is_allowed = [](char c) { return is_digit_or_lower(c) || c == '_' || c == '-'; };
    return !text.empty() && text.size() <= kCustomIdMax && is_digit_or_lower(text[0]) &&
           std::ranges::all_of(text, is_allowed);
}

bool is_label(std::string_view text) {
    const auto is_allowed = [](char c) {
        return is_digit_or_lower(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= kLabelMax && std::ranges::all_of(text, is_allowed);
}

std::unexpected<ErrorObject> refuse_unknown(const std::string& place) {
    return refuse(code::kUnknown, place, fmt::format("Unknown parameter: '{}'.", place));
}

std::unexpected<ErrorObject> refuse_repeated(const std::string& place) {
    return refuse(code::kInvalidValue, place, fmt::format("The member {} stands twice.", place));
}

// A name in an error message may have been anything.
std::string_view shorten(std::string_view name) {
    constexpr std::size_t kShown = 64;
    return name.substr(0, kShown);
}

Checked<> check_endpoint(std::string_view text) {
    if (string_in(text) == kResponses) return {};
    return refuse(code::kInvalidValue, std::string(kEndpoint),
                  fmt::format("endpoint must be '{}'.", kResponses));
}

Checked<std::string> read_label(std::string_view text) {
    if (text == "null") return std::string();
    const auto label = string_in(text);
    if (label && is_label(*label)) return *label;
    return refuse(code::kInvalidValue, std::string(kLabel),
                  fmt::format("label must be 1 to {} letters, digits, hyphens or underscores.", kLabelMax));
}

std::unexpected<ErrorObject> refuse_count(std::uint32_t items_max) {
    return refuse(code::kInvalidValue, std::string(kRequests),
                  fmt::format("requests must have 1 to {} elements.", items_max));
}

// The texts of an item's members; empty where there is none.
struct ItemTexts {
    std::string_view custom_id;
    std::string_view params;
};

Checked<ItemTexts> read_item_members(jsonl::PartReader& reader) {
    if (auto opened = reader.open_object(); !opened) return refuse(opened.error());
    ItemTexts item;
    while (true) {
        const auto name = reader.next_member();
        if (!name) return refuse(name.error());
        if (!*name) return item;
        const bool is_id = **name == kCustomId;
        if (!is_id && **name != "params") return refuse_unknown(std::string(shorten(**name)));
        std::string_view& text = is_id ? item.custom_id : item.params;
        if (!text.empty()) return refuse_repeated(**name);
        const auto value = reader.value();
        if (!value) return refuse(value.error());
        text = *value;
    }
}

Checked<std::string> read_custom_id(std::string_view text) {
    if (text.empty()) return refuse_missing(std::string(kCustomId));
    auto custom_id = string_in(text);
    if (custom_id && is_custom_id(*custom_id)) return std::move(*custom_id);
    return refuse(code::kInvalidValue, std::string(kCustomId),
                  fmt::format("custom_id must be 1 to {} lower-case letters, digits, hyphens or underscores, "
                              "and begin with a letter or digit.",
                              kCustomIdMax));
}

// `problem` as one of the part of the body at `place`.
ErrorObject move_under(std::string_view place, ErrorObject problem) {
    problem.param = problem.param.empty() ? std::string(place) : jsonl::join_path(place, problem.param);
    return problem;
}

Checked<> check_item(std::string_view params, const ParamsRules& rules) {
    if (params.empty()) return refuse_missing("params");
    if (!params.starts_with('{')) return refuse(code::kInvalidType, "params", "params must be an object.");
    auto checked = check_params(params, rules);
    if (!checked) return std::unexpected(move_under("params", std::move(checked.error())));
    return {};
}

}  // namespace

Checked<bool> BatchRequest::read_next(const ParamsRules& rules) {
    if (members_.empty()) {
        if (auto opened = reader_.open_object(); !opened) return refuse(opened.error());
        if (auto found = read_members(); !found || !*found) return found;
    }
    const auto more = reader_.next_element();
    if (!more) return refuse(more.error());
    if (*more && items_.size() == items_max_) return refuse_count(items_max_);
    if (*more) {
        const std::size_t index = items_.size();
        if (auto read = read_item(rules); !read) {
            const std::string place = jsonl::join_path(kRequests, index);
            return std::unexpected(move_under(place, std::move(read.error())));
        }
        return true;
    }
    if (items_.empty()) return refuse_count(items_max_);
    return read_members();
}

Checked<bool> BatchRequest::read_members() {
    while (true) {
        const auto name = reader_.next_member();
        if (!name) return refuse(name.error());
        if (!*name) break;
        if (has_member(**name)) return refuse_repeated(**name);
        members_.push_back(**name);
        if (**name == kRequests) {
            if (reader_.peek() != '[')
                return refuse(code::kInvalidType, std::string(kRequests), "requests must be an array.");
            if (auto opened = reader_.open_array(); !opened) return refuse(opened.error());
            return true;
        }
        if (auto read = read_member(**name); !read) return std::unexpected(std::move(read.error()));
    }
    for (const std::string_view needed : {kEndpoint, kRequests}) {
        if (!has_member(needed)) return refuse_missing(std::string(needed));
    }
    if (auto finished = reader_.finish(); !finished) return refuse(finished.error());
    return false;
}

Checked<> BatchRequest::read_member(std::string_view name) {
    if (name != kEndpoint && name != kLabel) return refuse_unknown(std::string(shorten(name)));
    const auto text = reader_.value();
    if (!text) return refuse(text.error());
    if (name == kEndpoint) return check_endpoint(*text);
    auto label = read_label(*text);
    if (!label) return std::unexpected(std::move(label.error()));
    label_ = std::move(*label);
    return {};
}

Checked<> BatchRequest::read_item(const ParamsRules& rules) {
    if (reader_.peek() != '{') return refuse(code::kInvalidType, "", "An item must be an object.");
    const std::size_t start = reader_.offset();
    const auto item = read_item_members(reader_);
    if (!item) return std::unexpected(item.error());
    if (reader_.offset() - start > kItemBytesMax)
        return refuse(code::kInvalidValue, "", fmt::format("An item has at most {} bytes.", kItemBytesMax));
    auto custom_id = read_custom_id(item->custom_id);
    if (!custom_id) return std::unexpected(std::move(custom_id.error()));
    const std::string& name = items_.emplace_back(std::move(*custom_id), item->params).custom_id;
    if (!custom_ids_.insert(name).second)
        return refuse(code::kDuplicateCustomId, std::string(kCustomId),
                      fmt::format("The custom_id {} stands in this batch already.", name));
    auto checked = check_item(item->params, rules);
    if (!checked) checked.error().message += fmt::format(" (custom_id: {})", name);
    return checked;
}

bool BatchRequest::has_member(std::string_view name) const {
    return std::ranges::find(members_, name) != members_.end();
}

}  // namespace sheaf::dialect::sail
