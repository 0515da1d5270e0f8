#pragma once

#include <string>
#include <string_view>

#include "dialect/twelvelabs/analysis_params.h"

namespace sheaf::dialect::twelvelabs {

// The member `request_params` of a task: what was given, merged with the batch's defaults. Inline media are
// left out.
std::string render_request_params(const AnalysisParams& params, Mode mode);

// What a list shows of it: prompts cut to 30 characters, no json_schema, the first segment definition only.
std::string abbreviate_request_params(std::string_view rendered);

// The first `count` code points of `text`, which is UTF-8.
std::string_view first_characters(std::string_view text, std::size_t count);

}  // namespace sheaf::dialect::twelvelabs
