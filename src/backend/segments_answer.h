#pragma once

#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "backend/segments.h"
#include "base/result.h"
#include "core/inference.h"

namespace sheaf::backend {

// The JSON Schema that a model's answer in segments follows: arrays by definition id, times in seconds, every
// field present and possibly null. It fits strict modes.
boost::json::value segments_schema(const core::SegmentsOutput& output);

// The result text from such an answer: fields checked, times read in any form, segments settled and rendered.
// invalid: what is wrong, in words a model can act on.
Result<std::string> settle_segments_answer(const core::SegmentsOutput& output, Bounds bounds,
                                           std::string_view text);

}  // namespace sheaf::backend
