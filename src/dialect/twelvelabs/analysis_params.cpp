#include "dialect/twelvelabs/analysis_params.h"

#include <fmt/format.h>

#include "dialect/twelvelabs/prompt_reader.h"
#include "dialect/twelvelabs/response_format.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::int64_t kGeneralTokensMin = 512;
constexpr std::int64_t kSegmentTokensMin = 2048;
constexpr std::int64_t kTokensMax = 98'304;
constexpr std::uint32_t kGeneralTokensDefault = 4096;
constexpr std::uint32_t kSegmentTokensDefault = 32'768;
constexpr double kSegmentSecondsMin = 2;
constexpr double kWindowSecondsMin = 4;

std::optional<double> read_number_from(ObjectReader& owner, std::string_view name, double least) {
    const auto number = owner.number(name);
    if (number && *number < least)
        owner.findings().invalid(owner.path_of(name), fmt::format("must be at least {}", least));
    return number;
}

std::optional<double> read_temperature(ObjectReader& owner) {
    const auto number = owner.number("temperature");
    if (number && (*number < 0 || *number > 1)) {
        owner.findings().invalid(owner.path_of("temperature"), "must be between 0 and 1");
    }
    return number;
}

std::optional<std::uint32_t> read_max_tokens(ObjectReader& owner, Mode mode) {
    const auto number = owner.integer("max_tokens");
    if (!number) return std::nullopt;
    const std::int64_t least = mode == Mode::general ? kGeneralTokensMin : kSegmentTokensMin;
    if (*number < least || *number > kTokensMax) {
        owner.findings().invalid(owner.path_of("max_tokens"),
                                 fmt::format("must be between {} and {}", least, kTokensMax));
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(*number);
}

bool has_time_ranges(const ResponseFormat& format) {
    return std::ranges::any_of(format.definitions,
                               [](const auto& definition) { return !definition.ranges.empty(); });
}

void check_general(const AnalysisParams& params, const std::string& path, Findings& findings) {
    if (!params.prompt) findings.missing(jsonl::join_path(path, "prompt"));
    if (params.format && !params.format->schema) {
        findings.invalid(jsonl::join_path(path, "response_format.type"),
                         "must be \"json_schema\" when analysis_mode is \"general\"");
    }
    for (const auto& [name, value] : {std::pair{"min_segment_duration", params.min_segment_duration},
                                      std::pair{"max_segment_duration", params.max_segment_duration}}) {
        if (!value) continue;
        findings.invalid(jsonl::join_path(path, name), "requires analysis_mode \"time_based_metadata\"");
    }
}

void check_segments(const AnalysisParams& params, const std::string& path, Findings& findings) {
    if (params.prompt) {
        findings.invalid(jsonl::join_path(path, prompt_member(params.prompt_form)),
                         "is not supported when analysis_mode is \"time_based_metadata\"");
    }
    if (!params.format) {
        findings.missing(jsonl::join_path(path, "response_format"));
        return;
    }
    if (params.format->schema) {
        findings.invalid(jsonl::join_path(path, "response_format.type"),
                         "must be \"segment_definitions\" when analysis_mode is \"time_based_metadata\"");
        return;
    }
    if (params.min_segment_duration && params.max_segment_duration &&
        *params.min_segment_duration > *params.max_segment_duration) {
        findings.invalid(jsonl::join_path(path, "max_segment_duration"),
                         "must not be less than min_segment_duration");
    }
    if (!has_time_ranges(*params.format)) return;
    for (const auto& [name, value] :
         {std::pair{"start_time", params.start_time}, std::pair{"end_time", params.end_time},
          std::pair{"min_segment_duration", params.min_segment_duration},
          std::pair{"max_segment_duration", params.max_segment_duration}}) {
        if (value) findings.invalid(jsonl::join_path(path, name), "cannot be used together with time_ranges");
    }
}

}  // namespace

std::string_view prompt_member(PromptForm form) {
    return form == PromptForm::object ? "prompt_v2" : "prompt";
}

AnalysisParams read_params(ObjectReader& owner, const ParamsRules& rules) {
    AnalysisParams params;
    if (const auto format = owner.find("response_format")) {
        params.format = std::make_shared<const ResponseFormat>(read_response_format(
            *format, owner.path_of("response_format"), rules.base64_bytes_max, owner.findings()));
    }
    params.temperature = read_temperature(owner);
    params.max_tokens = read_max_tokens(owner, rules.mode);
    params.min_segment_duration = read_number_from(owner, "min_segment_duration", kSegmentSecondsMin);
    params.max_segment_duration = read_number_from(owner, "max_segment_duration", kSegmentSecondsMin);
    params.start_time = read_number_from(owner, "start_time", 0);
    params.end_time = read_number_from(owner, "end_time", 0);
    return params;
}

AnalysisParams read_batch_params(ObjectReader& owner, const ParamsRules& rules) {
    std::shared_ptr<const core::Prompt> prompt;
    if (const auto value = owner.find("prompt")) {
        prompt = std::make_shared<const core::Prompt>(
            read_prompt(*value, owner.path_of("prompt"), rules.base64_bytes_max, owner.findings()));
    }
    AnalysisParams params = read_params(owner, rules);
    params.prompt = std::move(prompt);
    return params;
}

AnalysisParams merge(AnalysisParams own, const AnalysisParams& defaults) {
    if (!own.prompt) own.prompt = defaults.prompt;
    if (!own.format) own.format = defaults.format;
    if (!own.temperature) own.temperature = defaults.temperature;
    if (!own.max_tokens) own.max_tokens = defaults.max_tokens;
    if (!own.min_segment_duration) own.min_segment_duration = defaults.min_segment_duration;
    if (!own.max_segment_duration) own.max_segment_duration = defaults.max_segment_duration;
    if (!own.start_time) own.start_time = defaults.start_time;
    if (!own.end_time) own.end_time = defaults.end_time;
    return own;
}

void check_together(const AnalysisParams& params, Mode mode, const std::string& path, Findings& findings) {
    if (mode == Mode::general)
        check_general(params, path, findings);
    else
        check_segments(params, path, findings);
    if (params.end_time && *params.end_time <= params.start_time.value_or(0)) {
        findings.invalid(jsonl::join_path(path, "end_time"), "must be greater than start_time");
    } else if (params.start_time && params.end_time &&
               *params.end_time - *params.start_time < kWindowSecondsMin) {
        findings.invalid(jsonl::join_path(path, "end_time"),
                         fmt::format("must be at least {} seconds after start_time", kWindowSecondsMin));
    }
}

void for_each_image_asset(const AnalysisParams& params,
                          const std::function<void(const AssetId& id, const std::string& path)>& visit) {
    const auto visit_all = [&visit](const std::vector<core::NamedImage>& images, const std::string& path) {
        for (std::size_t i = 0; i < images.size(); ++i) {
            const auto* const asset = std::get_if<core::FromAsset>(&images[i].source);
            if (asset != nullptr) visit(asset->id, fmt::format("{}.media_sources[{}].asset_id", path, i));
        }
    };
    if (params.prompt) {
        visit_all(params.prompt->images, std::string(prompt_member(params.prompt_form)));
    }
    if (!params.format) return;
    for (std::size_t i = 0; i < params.format->definitions.size(); ++i) {
        visit_all(params.format->definitions[i].images,
                  fmt::format("response_format.segment_definitions[{}]", i));
    }
}

core::VideoAnalysis to_analysis(const AnalysisParams& params, Mode mode, std::string model,
                                core::MediaSource video) {
    core::VideoAnalysis analysis;
    analysis.model = std::move(model);
    analysis.video = std::move(video);
    if (params.prompt) analysis.prompt = *params.prompt;
    if (mode == Mode::segments && params.format) {
        analysis.output = core::SegmentsOutput{params.format->definitions,
                                               params.format->time_format.value_or(core::TimeFormat::seconds),
                                               params.min_segment_duration, params.max_segment_duration};
    } else if (params.format && params.format->schema) {
        analysis.output = core::JsonOutput{*params.format->schema};
    }
    if (params.temperature) analysis.temperature = *params.temperature;
    analysis.max_tokens =
        params.max_tokens.value_or(mode == Mode::general ? kGeneralTokensDefault : kSegmentTokensDefault);
    analysis.start_time = params.start_time;
    analysis.end_time = params.end_time;
    return analysis;
}

}  // namespace sheaf::dialect::twelvelabs
