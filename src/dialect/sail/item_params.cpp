#include "dialect/sail/item_params.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "dialect/sail/members.h"
#include "protocol/translation.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::ptrdiff_t kUserCharactersMax = 256;

// Latency tiers that an item of a batch may ask for. Two have another place in the vendor's queues; here they
// are kept as words and items run in the order of the batch.
constexpr std::array<std::string_view, 3> kBatchWindows{"standard", "balanced", "flex"};

constexpr std::array<std::string_view, 3> kTextFormats{"text", "json_schema", "json_object"};

struct NumberRule {
    std::string_view name;
    double least;
    double most;
    bool is_whole = false;
};
constexpr std::array kNumbers{
    NumberRule{.name = "max_output_tokens", .least = 1, .most = 1e15, .is_whole = true},
    NumberRule{.name = "temperature", .least = 0, .most = 2},
    NumberRule{.name = "top_p", .least = 0, .most = 1},
};

std::ptrdiff_t count_characters(std::string_view text) {
    return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

Checked<> check_model(const Members& params, const ParamsRules& rules) {
    const auto text = params.find("model");
    if (!text) return refuse_missing("model");
    const auto model = string_in(*text);
    if (!model) return refuse(code::kInvalidType, "model", "model must be a string.");
    if (!rules.knows_model(*model))
        return refuse(code::kModelNotFound, "model",
                      fmt::format("The model '{}' does not exist here.", model->substr(0, 64)));
    return {};
}

Checked<> check_metadata(std::string_view text, Setting setting) {
    const auto metadata = Members::of(text);
    if (!metadata) return refuse(code::kInvalidType, "metadata", "metadata must be an object of strings.");
    for (const auto& [name, value] : metadata->all()) {
        const auto word = string_in(value);
        if (!word)
            return refuse(code::kInvalidType, "metadata." + name, "Values of metadata must be strings.");
        if (name != "completion_window" || setting == Setting::live) continue;
        if (std::ranges::find(kBatchWindows, *word) == kBatchWindows.end())
            return refuse(code::kInvalidValue, "metadata.completion_window",
                          fmt::format("The completion window of an item of a batch is standard, balanced or "
                                      "flex, not '{}'.",
                                      word->substr(0, 64)));
    }
    return {};
}

Checked<> check_number(const Members& params, const NumberRule& rule) {
    const auto text = params.find(rule.name);
    if (!text) return {};
    double number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    const bool is_number = error == std::errc{} && end == text->data() + text->size();
    const bool fits = is_number && number >= rule.least && number <= rule.most;
    if (fits && (!rule.is_whole || number == std::floor(number))) return {};
    return refuse(code::kInvalidValue, std::string(rule.name),
                  fmt::format("{} must be {} from {} to {}.", rule.name,
                              rule.is_whole ? "a whole number" : "a number", rule.least, rule.most));
}

Checked<> check_text(std::string_view text) {
    const auto members = Members::of(text);
    if (!members) return refuse(code::kInvalidType, "text", "text must be an object.");
    const auto format = members->find("format");
    if (!format) return {};
    const auto parts = Members::of(*format);
    const auto type = parts ? string_in(parts->find("type").value_or("")) : std::nullopt;
    if (type && std::ranges::find(kTextFormats, *type) != kTextFormats.end()) return {};
    return refuse(code::kInvalidValue, "text.format.type",
                  "The type of text.format is text, json_schema or json_object.");
}

Checked<> check_words(const Members& params) {
    if (params.find("input") == R"("")")
        return refuse(code::kInvalidValue, "input", "input must not be empty.");
    if (const auto truncation = params.find("truncation"); truncation && string_in(*truncation) != "disabled")
        return refuse(code::kInvalidValue, "truncation", "truncation can only be 'disabled'.");
    if (const auto text = params.find("user")) {
        const auto user = string_in(*text);
        if (!user || count_characters(*user) > kUserCharactersMax)
            return refuse(code::kInvalidValue, "user",
                          fmt::format("user must be a string of at most {} characters.", kUserCharactersMax));
    }
    if (const auto background = params.find("background");
        background && *background != "true" && *background != "false")
        return refuse(code::kInvalidType, "background", "background must be true or false.");
    return {};
}

Checked<> check_vendor_rules(const Members& params, const ParamsRules& rules) {
    if (auto model = check_model(params, rules); !model) return model;
    if (params.find("raw_prompt_tokens"))
        return refuse(code::kUnsupported, "raw_prompt_tokens",
                      "raw_prompt_tokens is not supported: the model servers here take no token ids.");
    if (auto words = check_words(params); !words) return words;
    for (const NumberRule& rule : kNumbers) {
        if (auto number = check_number(params, rule); !number) return number;
    }
    if (const auto text = params.find("text")) {
        if (auto checked = check_text(*text); !checked) return checked;
    }
    if (const auto metadata = params.find("metadata")) return check_metadata(*metadata, rules.setting);
    return {};
}

}  // namespace

Checked<> check_params(std::string_view params, const ParamsRules& rules) {
    const auto checked = protocol::check_request(core::Protocol::responses, params,
                                                 {.batch = rules.setting == Setting::batch});
    if (!checked) return refuse(checked.error());
    const auto members = Members::of(params);
    if (!members) return refuse(members.error());
    return check_vendor_rules(*members, rules);
}

}  // namespace sheaf::dialect::sail
