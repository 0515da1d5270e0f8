#include "dialect/anthropic/message_request.h"

#include <array>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "protocol/translation.h"

namespace sheaf::dialect::anthropic {
namespace {

namespace dom = simdjson::dom;

constexpr std::array<std::string_view, 3> kSampling{"temperature", "top_p", "top_k"};

std::string_view text_of(const dom::object& object, std::string_view name) {
    std::string_view text;
    if (object.at_key(name).get(text) != simdjson::SUCCESS) return {};
    return text;
}

bool is_set(const dom::object& object, std::string_view name) {
    bool flag = false;
    return object.at_key(name).get(flag) == simdjson::SUCCESS && flag;
}

// Calls `take` with each object in the array `name` and its path below `path`, until one fails.
template <class Take>
Result<> for_each_object(const dom::object& object, std::string_view name, const std::string& path,
                         const Take& take) {
    dom::array elements;
    if (object.at_key(name).get(elements) != simdjson::SUCCESS) return {};
    std::size_t index = 0;
    for (const dom::element element : elements) {
        const std::string place = fmt::format("{}{}.{}", path, name, index++);
        dom::object child;
        if (element.get(child) != simdjson::SUCCESS) continue;
        if (auto taken = take(child, place); !taken) return taken;
    }
    return {};
}

// No text that the user says cites anything, in whatever block it stands.
Result<> refuse_citations(const dom::object& block, const std::string& path) {
    dom::array citations;
    if (text_of(block, "type") == "text" && block.at_key("citations").get(citations) == simdjson::SUCCESS &&
        citations.size() > 0)
        return fail(ErrorCode::invalid, "Extra inputs are not permitted", path + ".citations");
    return for_each_object(block, "content", path + ".", refuse_citations);
}

// What version 2026-10-21 took away.
Result<> check_newer_rules(const dom::object& request, bool refuses_sampling) {
    if (refuses_sampling) {
        for (const std::string_view name : kSampling)
            if (request.at_key(name).error() == simdjson::SUCCESS)
                return fail(ErrorCode::invalid, "Extra inputs are not permitted", std::string(name));
    }
    return for_each_object(request, "messages", "",
                           [](const dom::object& message, const std::string& path) -> Result<> {
                               if (text_of(message, "role") != "user") return {};
                               return for_each_object(message, "content", path + ".", refuse_citations);
                           });
}

}  // namespace

Result<MessageRequest> read_message_request(std::string_view body, const MessageRules& rules) {
    const protocol::CheckOptions options{.batch = rules.is_in_batch, .counts_tokens = rules.counts_tokens};
    if (auto checked = protocol::check_request(core::Protocol::messages, body, options); !checked)
        return std::unexpected(checked.error());
    const auto document = jsonl::Document::parse(body);
    if (!document) return std::unexpected(document.error());
    const dom::object request(document->root());
    if (rules.version >= Version::v2026_10_21) {
        if (auto checked = check_newer_rules(request, rules.refuses_sampling); !checked)
            return std::unexpected(checked.error());
    }
    return MessageRequest{.model = std::string(text_of(request, "model")),
                          .streams = is_set(request, "stream")};
}

}  // namespace sheaf::dialect::anthropic
