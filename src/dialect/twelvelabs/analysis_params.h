#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/inference.h"
#include "dialect/twelvelabs/reader.h"
#include "dialect/twelvelabs/words.h"

namespace sheaf::dialect::twelvelabs {

// What kind of call the parameters are of, and the limits that apply.
struct ParamsRules {
    Mode mode = Mode::general;
    std::uint64_t base64_bytes_max = std::uint64_t{30} << 20;
};

// `response_format` as the client gave it.
struct ResponseFormat {
    std::optional<std::string> schema;  // the text of `json_schema`; nullopt: segment definitions
    std::vector<core::SegmentDefinition> definitions;
    std::optional<core::TimeFormat> time_format;
};

// How a prompt was given: as the object `prompt` of a batch, as the string `prompt` or the object `prompt_v2`
// of a task.
enum class PromptForm : std::uint8_t { of_batch, plain, object };

// The parameters of one analysis that were given. Prompts and formats are shared with what they were merged
// from: they may hold images of many megabytes.
struct AnalysisParams {
    std::shared_ptr<const core::Prompt> prompt;
    PromptForm prompt_form = PromptForm::of_batch;
    std::shared_ptr<const ResponseFormat> format;
    std::optional<double> temperature;
    std::optional<std::uint32_t> max_tokens;
    std::optional<double> min_segment_duration;
    std::optional<double> max_segment_duration;
    std::optional<double> start_time;
    std::optional<double> end_time;
};

// The member that holds the prompt: "prompt" or "prompt_v2".
std::string_view prompt_member(PromptForm form);

// Reads the members of `owner` that batches, tasks and direct calls have in common: all but the prompt, whose
// name and form differ. Each is checked by itself.
AnalysisParams read_params(ObjectReader& owner, const ParamsRules& rules);
// The same with `prompt` as an object: of `defaults` and of the items of a batch.
AnalysisParams read_batch_params(ObjectReader& owner, const ParamsRules& rules);

// What `own` leaves out comes from `defaults`; prompt and format are replaced as a whole.
AnalysisParams merge(AnalysisParams own, const AnalysisParams& defaults);

// The rules between parameters, on the effective item that stands at `path`.
void check_together(const AnalysisParams& params, Mode mode, const std::string& path, Findings& findings);

// Calls `visit` with each image of the prompt and the definitions that is an uploaded asset, and with its
// path below the item.
void for_each_image_asset(const AnalysisParams& params,
                          const std::function<void(const AssetId& id, const std::string& path)>& visit);

core::VideoAnalysis to_analysis(const AnalysisParams& params, Mode mode, std::string model,
                                core::MediaSource video);

}  // namespace sheaf::dialect::twelvelabs
