#include "protocol/check_messages.h"

#include <array>
#include <set>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "protocol/check_blocks.h"
#include "protocol/check_turns.h"
#include "protocol/closed_object.h"

namespace sheaf::protocol {
namespace {

constexpr std::size_t kToolNameMax = 128;
constexpr std::size_t kUserIdMax = 512;
constexpr std::uint64_t kBudgetTokensMin = 1024;

constexpr Field kCacheControl{"cache_control", check_cache_control, Need::optional, Null::allowed};

Result<> system_content(const Value& value) {
    return check_messages_content(value, Place::system);
}

Result<> stop_sequence(const Value& value) {
    const auto text = as_text(value);
    if (!text) return std::unexpected(text.error());
    if (text->find_first_not_of(" \t\r\n\f\v") == std::string_view::npos)
        return value.refuse("each stop sequence must contain non-whitespace");
    return {};
}

constexpr std::array<std::string_view, 1> kObject{"object"};
constexpr std::array<std::string_view, 1> kCustom{"custom"};

Result<> input_schema(const Value& value) {
    const auto type = type_of(value);
    if (!type) return std::unexpected(type.error());
    const auto member = value.find("type");
    return member ? one_of<kObject>(*member) : Result<>{};
}

constexpr std::array kTool{
    Field{"name", plain_name<kToolNameMax>, Need::required},
    Field{"input_schema", input_schema, Need::required},
    Field{"description", any_text},
    Field{"type", one_of<kCustom>, Need::optional, Null::allowed},
    Field{"strict", any_flag},
    Field{"defer_loading", any_flag},
    Field{"allowed_callers", array_of<any_text>},
    Field{"input_examples", array_of<any_object>},
    Field{"eager_input_streaming", any_flag, Need::optional, Null::allowed},
    kCacheControl,
};

// The fields of a hosted tool, one with a type of its own, are its server's matter.
Result<> tool(const Value& value) {
    const auto type = value.find("type");
    if (!type) return check_closed(value, kTool);
    const auto word = as_text(*type);
    if (!word) return std::unexpected(word.error());
    if (*word == "custom") return check_closed(value, kTool);
    return non_empty_text(*type);
}

Result<> tools(const Value& value) {
    std::set<std::string_view> names;
    return for_each_value(value, [&](const Value& element) -> Result<> {
        if (auto fits = tool(element); !fits) return fits;
        const auto name = element.find("name");
        std::string_view text;
        if (name && name->json().get(text) == simdjson::SUCCESS && !names.insert(text).second)
            return name->refuse("Tool names must be unique");
        return {};
    });
}

constexpr Field kSingle{"disable_parallel_tool_use", any_flag};
constexpr std::array kChoice{kSingle};
constexpr std::array kNamedChoice{Field{"name", plain_name<>, Need::required}, kSingle};
constexpr std::array kToolChoices{
    Variant{"auto", kChoice},
    Variant{"any", kChoice},
    Variant{"tool", kNamedChoice},
    Variant{"none", {}},
};
Result<> tool_choice(const Value& value) {
    return check_variants(value, kToolChoices);
}

Result<> budget_tokens(const Value& value) {
    const auto budget = as_count(value);
    if (!budget) return std::unexpected(budget.error());
    if (*budget < kBudgetTokensMin)
        return value.refuse(fmt::format("Input should be greater than or equal to {}", kBudgetTokensMin));
    return {};
}

constexpr std::array<std::string_view, 2> kDisplays{"summarized", "omitted"};
constexpr Field kDisplay{"display", one_of<kDisplays>, Need::optional, Null::allowed};
constexpr std::array kEnabled{Field{"budget_tokens", budget_tokens, Need::required}, kDisplay};
constexpr std::array kAdaptive{kDisplay};
constexpr std::array kThinkingKinds{
    Variant{"enabled", kEnabled},
    Variant{"adaptive", kAdaptive},
    Variant{"disabled", {}},
    Variant{"between_tools", {}},
};
Result<> thinking(const Value& value) {
    return check_variants(value, kThinkingKinds);
}

constexpr std::array<std::string_view, 5> kEfforts{"low", "medium", "high", "xhigh", "max"};
constexpr std::array kJsonSchema{Field{"schema", any_object, Need::required}};
constexpr std::array kFormats{Variant{"json_schema", kJsonSchema}};
Result<> output_format(const Value& value) {
    return check_variants(value, kFormats);
}
constexpr std::array kOutputConfig{
    Field{"effort", one_of<kEfforts>, Need::optional, Null::allowed},
    Field{"format", output_format, Need::optional, Null::allowed},
};

constexpr std::array kMetadata{
    Field{"user_id", text_up_to<kUserIdMax>, Need::optional, Null::allowed},
};

constexpr std::array kContainer{
    Field{"id", any_text, Need::optional, Null::allowed},
    Field{"skills", array_of<any_object>, Need::optional, Null::allowed},
};
Result<> container(const Value& value) {
    return value.json().is_string() ? Result<>{} : check_closed(value, kContainer);
}

constexpr std::array kDiagnostics{
    Field{"previous_message_id", any_text, Need::optional, Null::allowed},
};

constexpr std::array<std::string_view, 2> kServiceTiers{"auto", "standard_only"};
constexpr std::array<std::string_view, 2> kSpeeds{"standard", "fast"};
constexpr std::array kRequest{
    Field{"model", non_empty_text, Need::required},
    Field{"max_tokens", whole_number, Need::required},
    Field{"messages", check_turns, Need::required},
    Field{"system", system_content},
    Field{"temperature", fraction},
    Field{"top_p", fraction},
    Field{"top_k", whole_number},
    Field{"stop_sequences", array_of<stop_sequence>},
    Field{"stream", any_flag},
    Field{"tools", tools},
    Field{"tool_choice", tool_choice},
    Field{"thinking", thinking},
    Field{"metadata", closed<kMetadata>},
    Field{"service_tier", one_of<kServiceTiers>},
    Field{"output_config", closed<kOutputConfig>},
    kCacheControl,
    Field{"container", container, Need::optional, Null::allowed},
    Field{"inference_geo", any_text, Need::optional, Null::allowed},
    Field{"diagnostics", closed<kDiagnostics>, Need::optional, Null::allowed},
    Field{"speed", one_of<kSpeeds>, Need::optional, Null::allowed},
    // Of beta versions, whose forms change: what they hold is their server's matter.
    Field{"mcp_servers", array_of<any_object>},
    Field{"context_management", any_object, Need::optional, Null::allowed},
    Field{"output_format", output_format, Need::optional, Null::allowed},
    Field{"fallbacks", anything},
    Field{"fallback_credit_token", anything},
    Field{"billing_policy", any_object, Need::optional, Null::allowed},
    Field{"compaction", anything},
    Field{"thread", anything},
    Field{"user_profile_id", any_text, Need::optional, Null::allowed},
    Field{"store", anything},
    Field{"previous_thread_event_id", anything},
    Field{"cache_hint", anything},
    Field{"context_hint", anything},
    Field{"research_preview_2026_02", anything},
};

constexpr std::array kCountRequest{
    Field{"model", non_empty_text, Need::required},
    Field{"messages", check_turns, Need::required},
    Field{"system", system_content},
    Field{"tools", tools},
    Field{"tool_choice", tool_choice},
    Field{"thinking", thinking},
    Field{"output_config", closed<kOutputConfig>},
    kCacheControl,
    Field{"speed", one_of<kSpeeds>, Need::optional, Null::allowed},
    Field{"mcp_servers", array_of<any_object>},
    Field{"context_management", any_object, Need::optional, Null::allowed},
    Field{"output_format", output_format, Need::optional, Null::allowed},
};

Result<> check_budget(const Value& request) {
    const auto config = request.find("thinking");
    const auto budget = config ? config->find("budget_tokens") : std::nullopt;
    const auto max_tokens = request.find("max_tokens");
    if (!budget || !max_tokens) return {};
    if (as_count(*budget).value_or(0) >= as_count(*max_tokens).value_or(0))
        return budget->refuse("`max_tokens` must be greater than `thinking.budget_tokens`");
    return {};
}

// What the vendor's batches do not take, whatever its value.
constexpr std::array<std::string_view, 7> kNotInBatches{
    "speed", "store", "previous_thread_event_id", "thread", "cache_hint", "context_hint", "fallbacks",
};

Result<> check_batched(const Value& request) {
    constexpr std::string_view kRefusal = "not supported in message batches";
    const auto is_text = [](const std::optional<Value>& value, std::string_view expected) {
        std::string_view text;
        return value && value->json().get(text) == simdjson::SUCCESS && text == expected;
    };
    for (const auto name : kNotInBatches)
        if (const auto value = request.find(name)) return value->refuse(std::string(kRefusal));
    const auto stream = request.find("stream");
    if (stream && as_flag(*stream).value_or(false)) return stream->refuse(std::string(kRefusal));
    const auto max_tokens = request.find("max_tokens");
    if (max_tokens && as_count(*max_tokens).value_or(1) == 0)
        return max_tokens->refuse("Input should be greater than or equal to 1");
    const auto preview = request.find("research_preview_2026_02");
    if (is_text(preview, "active")) return preview->refuse(std::string(kRefusal));
    const auto billing = request.find("billing_policy");
    const auto bill_to = billing ? billing->find("bill_to") : std::nullopt;
    if (is_text(bill_to, "user_profile")) return bill_to->refuse(std::string(kRefusal));
    return {};
}

}  // namespace

Result<> check_messages_request(std::string_view body, const CheckOptions& options) {
    const auto document = jsonl::Document::parse(body);
    if (!document) return std::unexpected(document.error());
    const Value request(document->root(), PathStyle::dotted);
    if (options.counts_tokens) return check_closed(request, kCountRequest);
    if (auto fits = check_closed(request, kRequest); !fits) return fits;
    if (auto fits = check_budget(request); !fits) return fits;
    return options.batch ? check_batched(request) : Result<>{};
}

}  // namespace sheaf::protocol
