#include "dialect/twelvelabs/batch_request.h"

#include <array>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "jsonl/splitter.h"

namespace sheaf::dialect::twelvelabs {
namespace {

// The members at the top of the body, as text; an empty view is an absent member.
struct Frame {
    std::string_view model_name;
    std::string_view analysis_mode;
    std::string_view requests;
    std::string_view defaults;
};

struct FrameMember {
    std::string_view name;
    std::string_view Frame::* text;
};
constexpr std::array kFrameMembers{
    FrameMember{"model_name", &Frame::model_name},
    FrameMember{"analysis_mode", &Frame::analysis_mode},
    FrameMember{"requests", &Frame::requests},
    FrameMember{"defaults", &Frame::defaults},
};

Checked<Frame> read_members(std::string_view body) {
    Frame frame;
    Findings unknown;
    const auto split =
        jsonl::for_each_member(body, [&](std::string_view key, std::string_view value) -> Result<> {
            const auto member = std::ranges::find(kFrameMembers, key, &FrameMember::name);
            if (member == kFrameMembers.end()) {
                unknown.unknown(std::string(key.substr(0, 64)));
                return {};
            }
            std::string_view& text = frame.*(member->text);
            if (text.data() != nullptr) {
                return fail(ErrorCode::invalid,
                            fmt::format("The member \"{}\" stands twice in one object.", key),
                            std::string(key));
            }
            text = value;
            return {};
        });
    if (!split) return std::unexpected(to_problem(split.error()));
    if (unknown.any()) return unknown.refusal();
    for (const FrameMember& member : kFrameMembers) {
        if (frame.*(member.text) == "null") frame.*(member.text) = {};
    }
    return frame;
}

// A required member that holds a short string.
std::string read_word(std::string_view text, std::string_view name, Findings& findings) {
    constexpr std::size_t kWordBytesMax = 1024;
    if (text.empty()) {
        findings.missing(std::string(name));
        return {};
    }
    if (text.size() <= kWordBytesMax) {
        const auto document = jsonl::Document::parse(text);
        std::string_view word;
        if (document && document->root().get(word) == simdjson::SUCCESS) return std::string(word);
    }
    findings.invalid(std::string(name), "must be a string of reasonable length");
    return {};
}

std::unexpected<Problem> refuse_size(const std::string& path, std::uint64_t bytes_max) {
    return refuse(413, code::kPayloadTooLarge,
                  fmt::format("{} must be at most {} bytes long.", path, bytes_max), path);
}

}  // namespace

Checked<BatchRequest> BatchRequest::read_frame(std::string_view body, const service::Limits& limits,
                                               const std::function<bool(std::string_view)>& knows_model) {
    const auto frame = read_members(body);
    if (!frame) return std::unexpected(frame.error());
    BatchRequest request;
    request.rules_.base64_bytes_max = limits.base64_bytes_max;
    Findings findings;
    request.model_ = read_word(frame->model_name, "model_name", findings);
    if (!findings.any() && !knows_model(request.model_)) {
        findings.invalid("model_name", "is not the name of a model that this server has");
    }
    const std::string mode_word = read_word(frame->analysis_mode, "analysis_mode", findings);
    const auto mode = parse_mode(mode_word);
    if (!mode) findings.invalid("analysis_mode", "must be \"general\" or \"time_based_metadata\"");
    if (frame->requests.empty()) findings.missing("requests");
    if (findings.any()) return findings.refusal();
    request.rules_.mode = *mode;
    if (auto split = request.split_requests(frame->requests, limits.batch_items_max); !split) {
        return std::unexpected(split.error());
    }
    if (!frame->defaults.empty()) {
        if (auto read = request.read_defaults_text(frame->defaults); !read)
            return std::unexpected(read.error());
    }
    return request;
}

Checked<> BatchRequest::split_requests(std::string_view text, std::uint32_t items_max) {
    Findings findings;
    if (!text.starts_with('[')) {
        findings.invalid("requests", "must be an array");
        return findings.refusal();
    }
    const auto split = jsonl::for_each_element(text, [&](std::size_t, std::string_view element) -> Result<> {
        texts_.push_back(element);
        if (texts_.size() <= items_max) return {};
        return fail(ErrorCode::invalid, fmt::format("requests must have 1 to {} elements.", items_max),
                    "requests");
    });
    if (!split) return std::unexpected(to_problem(split.error()));
    if (texts_.empty()) {
        findings.invalid("requests", fmt::format("must have 1 to {} elements", items_max));
        return findings.refusal();
    }
    items_.reserve(texts_.size());
    return {};
}

Checked<> BatchRequest::read_defaults_text(std::string_view text) {
    if (text.size() > kDefaultsBytesMax) return refuse_size("defaults", kDefaultsBytesMax);
    const auto document = jsonl::Document::parse(text);
    if (!document) {
        Error error = document.error();
        error.field = jsonl::join_path("defaults", error.field);
        return std::unexpected(to_problem(error));
    }
    Findings findings;
    defaults_ = read_defaults(document->root(), "defaults", rules_, findings);
    if (rules_.mode == Mode::segments && defaults_.prompt) {
        findings.invalid("defaults.prompt", "is not supported when analysis_mode is \"time_based_metadata\"");
    }
    if (findings.any()) return findings.refusal();
    for_each_image_asset(defaults_, [this](const AssetId& id, const std::string& path) {
        uses_.push_back({id, "defaults." + path, core::MediaType::image});
    });
    defaults_text_ = text;
    return {};
}

Checked<> BatchRequest::read_item(std::size_t index) {
    const std::string path = jsonl::join_path("requests", index);
    const std::string_view text = texts_[index];
    if (text.size() > kItemBytesMax) return refuse_size(path, kItemBytesMax);
    const auto document = jsonl::Document::parse(text);
    if (!document) {
        Error error = document.error();
        error.field = error.field.empty() ? path : jsonl::join_path(path, error.field);
        return std::unexpected(to_problem(error));
    }
    Findings findings;
    BatchItemRequest item = read_batch_item(document->root(), path, rules_, findings);
    if (!findings.any()) check_together(merge(item.params, defaults_), rules_.mode, path, findings);
    if (item.custom_id && !custom_ids_.insert(*item.custom_id).second) {
        findings.invalid(path + ".custom_id", "must be unique within the batch");
    }
    if (findings.any()) return findings.refusal();
    uses_.push_back({item.asset, path + ".video.asset_id", core::MediaType::video});
    for_each_image_asset(item.params, [this, &path](const AssetId& id, const std::string& place) {
        uses_.push_back({id, jsonl::join_path(path, place), core::MediaType::image});
    });
    items_.push_back({std::move(item.custom_id), item.asset, text});
    return {};
}

}  // namespace sheaf::dialect::twelvelabs
