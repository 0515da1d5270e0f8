#pragma once

#include <optional>
#include <string>

#include "dialect/twelvelabs/analysis_params.h"
#include "service/limits.h"

namespace sheaf::dialect::twelvelabs {

// The body of POST /analyze/tasks, or of POST /analyze.
struct TaskRequest {
    core::MediaSource video;
    Mode mode = Mode::general;
    std::optional<std::string> model;
    std::optional<std::string> custom_id;
    AnalysisParams params;
    bool stream = false;  // of a direct call
};

TaskRequest read_task_request(dom::element body, const service::Limits& limits, Findings& findings);
// A direct call: general mode only, and `stream`, which is on unless told otherwise.
TaskRequest read_direct_request(dom::element body, const service::Limits& limits, Findings& findings);

}  // namespace sheaf::dialect::twelvelabs
