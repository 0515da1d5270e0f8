#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "dialect/twelvelabs/gate.h"
#include "dialect/twelvelabs/task_request.h"
#include "service/assets.h"
#include "service/live.h"

namespace sheaf::dialect::twelvelabs {

// The model that a task or a direct call runs on. "pegasus1.2", where no model has that name, stands for the
// default one, unless the call asks for what only the newer one can do: segments, a window, a structured
// prompt.
Checked<std::string> choose_model(const TaskRequest& request, const service::LiveRunner& live,
                                  std::string_view default_model);

// What the checks of a request's assets say to clients that know 404, and to those that know only 400.
struct AssetRules {
    int missing_status = 400;
    std::optional<double> video_seconds_max;
};

// Whether the video and the images that are assets exist, are ready and are what they are used as.
async::Task<Checked<>> check_task_assets(service::Assets& assets, AccountId account,
                                         const TaskRequest& request, AssetRules rules);

core::Subject subject_of(const core::MediaSource& video);

}  // namespace sheaf::dialect::twelvelabs
