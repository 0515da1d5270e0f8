#pragma once

#include <string>

#include "dialect/twelvelabs/analysis_params.h"

namespace sheaf::dialect::twelvelabs {

inline constexpr std::size_t kDefinitionsMax = 20;
inline constexpr std::size_t kFieldsMax = 20;        // of one definition
inline constexpr std::size_t kFieldValuesMax = 100;  // of a field's enum

// {"type": "json_schema", "json_schema"} or {"type": "segment_definitions", "segment_definitions",
// "segment_time_format"?}. Which of them a mode allows is not checked here.
ResponseFormat read_response_format(dom::element value, const std::string& path,
                                    std::uint64_t base64_bytes_max, Findings& findings);

}  // namespace sheaf::dialect::twelvelabs
