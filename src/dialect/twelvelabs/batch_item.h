#pragma once

#include <optional>
#include <string>

#include "dialect/twelvelabs/analysis_params.h"

namespace sheaf::dialect::twelvelabs {

// One element of `requests`, by itself: what it leaves out is in the defaults.
struct BatchItemRequest {
    AssetId asset;
    std::optional<std::string> custom_id;
    AnalysisParams params;
};

// `path` is where the element stands ("requests[3]"); its own members are checked, not how they go together.
BatchItemRequest read_batch_item(dom::element value, const std::string& path, const ParamsRules& rules,
                                 Findings& findings);

// The object `defaults`, which is also checked when every item overrides it.
AnalysisParams read_defaults(dom::element value, const std::string& path, const ParamsRules& rules,
                             Findings& findings);

}  // namespace sheaf::dialect::twelvelabs
