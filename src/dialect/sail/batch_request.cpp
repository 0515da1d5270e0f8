#include "dialect/sail/batch_request.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "dialect/sail/members.h"
#include "jsonl/document.h"
#include "jsonl/splitter.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::size_t kCustomIdMax = 64;
constexpr std::size_t kLabelMax = 128;
constexpr std::string_view kEndpoint = "/v1/responses";

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

// A member that a closed object may have, and where its text goes.
struct Expected {
    std::string_view name;
    std::string_view* text;
};

// Reads a closed object. `path` is where it stands; empty at the top.
Checked<> read_closed(std::string_view object, std::string_view path, std::span<const Expected> expected) {
    std::optional<ErrorObject> refusal;
    const auto split =
        jsonl::for_each_member(object, [&](std::string_view name, std::string_view text) -> Result<> {
            if (refusal) return {};
            const auto member = std::ranges::find(expected, name, &Expected::name);
            const std::string place = jsonl::join_path(path, name.substr(0, 64));
            if (member == expected.end()) {
                refusal =
                    refuse(code::kUnknown, place, fmt::format("Unknown parameter: '{}'.", place)).error();
            } else if (member->text->data() != nullptr) {
                refusal =
                    refuse(code::kInvalidValue, place, fmt::format("The member {} stands twice.", place))
                        .error();
            } else {
                *member->text = text;
            }
            return {};
        });
    if (!split) {
        Error error = split.error();
        error.field = path;
        return refuse(error);
    }
    if (refusal) return std::unexpected(std::move(*refusal));
    return {};
}

Checked<> check_endpoint(std::string_view text) {
    if (text.empty()) return refuse_missing("endpoint");
    if (string_in(text) == kEndpoint) return {};
    return refuse(code::kInvalidValue, "endpoint", fmt::format("endpoint must be '{}'.", kEndpoint));
}

Checked<std::string> read_label(std::string_view text) {
    if (text.empty() || text == "null") return std::string();
    const auto label = string_in(text);
    if (label && is_label(*label)) return *label;
    return refuse(code::kInvalidValue, "label",
                  fmt::format("label must be 1 to {} letters, digits, hyphens or underscores.", kLabelMax));
}

Checked<std::vector<std::string_view>> split_requests(std::string_view text, std::uint32_t items_max) {
    if (text.empty()) return refuse_missing("requests");
    if (!text.starts_with('[')) return refuse(code::kInvalidType, "requests", "requests must be an array.");
    std::vector<std::string_view> texts;
    bool too_many = false;
    const auto split = jsonl::for_each_element(text, [&](std::size_t, std::string_view element) -> Result<> {
        too_many = texts.size() == items_max;
        if (too_many) return fail(ErrorCode::invalid, "There are too many.");
        texts.push_back(element);
        return {};
    });
    if (too_many || (split && texts.empty()))
        return refuse(code::kInvalidValue, "requests",
                      fmt::format("requests must have 1 to {} elements.", items_max));
    if (!split) return refuse(split.error());
    return texts;
}

std::unexpected<ErrorObject> refuse_item(ErrorObject problem, std::string_view path,
                                         std::string_view custom_id) {
    problem.param = problem.param.empty() ? std::string(path) : jsonl::join_path(path, problem.param);
    problem.message += fmt::format(" (custom_id: {})", custom_id);
    return std::unexpected(std::move(problem));
}

}  // namespace

Checked<BatchRequest> BatchRequest::read_frame(std::string_view body, std::uint32_t items_max) {
    std::string_view endpoint;
    std::string_view requests;
    std::string_view label;
    const std::array expected{Expected{"endpoint", &endpoint}, Expected{"requests", &requests},
                              Expected{"label", &label}};
    if (auto read = read_closed(body, "", expected); !read) return std::unexpected(std::move(read.error()));
    if (auto checked = check_endpoint(endpoint); !checked) return std::unexpected(std::move(checked.error()));
    auto read = read_label(label);
    if (!read) return std::unexpected(std::move(read.error()));
    auto texts = split_requests(requests, items_max);
    if (!texts) return std::unexpected(std::move(texts.error()));
    BatchRequest request;
    request.label_ = std::move(*read);
    request.texts_ = std::move(*texts);
    request.items_.reserve(request.texts_.size());
    request.custom_ids_.reserve(request.texts_.size());
    return request;
}

Checked<> BatchRequest::read_item(std::size_t index, const ParamsRules& rules) {
    const std::string path = jsonl::join_path("requests", index);
    const std::string_view text = texts_[index];
    if (text.size() > kItemBytesMax)
        return refuse(code::kInvalidValue, path,
                      fmt::format("{} is larger than {} bytes.", path, kItemBytesMax));
    if (!text.starts_with('{'))
        return refuse(code::kInvalidType, path, fmt::format("{} must be an object.", path));
    std::string_view custom_id_text;
    std::string_view params;
    const std::array expected{Expected{"custom_id", &custom_id_text}, Expected{"params", &params}};
    if (auto read = read_closed(text, path, expected); !read) return read;
    if (custom_id_text.empty()) return refuse_missing(path + ".custom_id");
    auto custom_id = string_in(custom_id_text);
    if (!custom_id || !is_custom_id(*custom_id))
        return refuse(code::kInvalidValue, path + ".custom_id",
                      fmt::format("custom_id must be 1 to {} lower-case letters, digits, hyphens or "
                                  "underscores, and begin with a letter or digit.",
                                  kCustomIdMax));
    items_.push_back({std::move(*custom_id), params});
    const std::string& name = items_.back().custom_id;
    if (!custom_ids_.insert(name).second)
        return refuse(code::kDuplicateCustomId, path + ".custom_id",
                      fmt::format("The custom_id {} stands in this batch already.", name));
    if (params.empty()) return refuse_item(refuse_missing("params").error(), path, name);
    if (!params.starts_with('{'))
        return refuse_item(refuse(code::kInvalidType, "params", "params must be an object.").error(), path,
                           name);
    if (auto checked = check_params(params, rules); !checked)
        return refuse_item(std::move(checked.error()), path + ".params", name);
    return {};
}

}  // namespace sheaf::dialect::sail
