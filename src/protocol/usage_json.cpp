#include "protocol/usage_json.h"

#include <algorithm>
#include <string_view>

#include "protocol/members.h"

namespace sheaf::protocol {
namespace {

namespace dom = simdjson::dom;

std::uint64_t count_of(const dom::object& object, std::string_view name) {
    return find_count(object, name).value_or(0);
}

std::uint64_t detail_of(const dom::object& object, std::string_view details, std::string_view name) {
    const auto found = find_object(object, details);
    return found ? count_of(*found, name) : 0;
}

}  // namespace

std::optional<core::Usage> read_chat_usage(dom::element usage) {
    dom::object counts;
    if (usage.get(counts) != simdjson::SUCCESS) return std::nullopt;
    return core::Usage{
        .input_tokens = count_of(counts, "prompt_tokens"),
        .output_tokens = count_of(counts, "completion_tokens"),
        .cached_tokens = detail_of(counts, "prompt_tokens_details", "cached_tokens"),
        .reasoning_tokens = detail_of(counts, "completion_tokens_details", "reasoning_tokens"),
    };
}

std::optional<core::Usage> read_messages_usage(dom::element usage) {
    dom::object counts;
    if (usage.get(counts) != simdjson::SUCCESS) return std::nullopt;
    const auto cached = count_of(counts, "cache_read_input_tokens");
    return core::Usage{
        .input_tokens =
            count_of(counts, "input_tokens") + count_of(counts, "cache_creation_input_tokens") + cached,
        .output_tokens = count_of(counts, "output_tokens"),
        .cached_tokens = cached,
        .reasoning_tokens = detail_of(counts, "output_tokens_details", "thinking_tokens"),
    };
}

void write_chat_usage(jsonl::Writer& json, const core::Usage& usage) {
    json.open_object()
        .member("prompt_tokens", usage.input_tokens)
        .member("completion_tokens", usage.output_tokens)
        .member("total_tokens", usage.input_tokens + usage.output_tokens);
    json.key("prompt_tokens_details")
        .open_object()
        .member("cached_tokens", usage.cached_tokens)
        .member("audio_tokens", 0)
        .close_object();
    json.key("completion_tokens_details")
        .open_object()
        .member("reasoning_tokens", usage.reasoning_tokens)
        .member("audio_tokens", 0)
        .member("accepted_prediction_tokens", 0)
        .member("rejected_prediction_tokens", 0)
        .close_object();
    json.close_object();
}

void write_messages_usage(jsonl::Writer& json, const core::Usage& usage) {
    const auto cached = std::min(usage.cached_tokens, usage.input_tokens);
    json.open_object()
        .member("input_tokens", usage.input_tokens - cached)
        .member("cache_creation_input_tokens", 0)
        .member("cache_read_input_tokens", cached)
        .member_null("cache_creation")
        .member("output_tokens", usage.output_tokens);
    json.key("output_tokens_details");
    if (usage.reasoning_tokens > 0)
        json.open_object().member("thinking_tokens", usage.reasoning_tokens).close_object();
    else
        json.null();
    json.member_null("server_tool_use")
        .member("service_tier", "standard")
        .member_null("inference_geo")
        .member_null("speed")
        .close_object();
}

}  // namespace sheaf::protocol
