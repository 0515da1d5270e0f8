#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "dialect/sail/errors.h"

namespace sheaf::dialect::sail {

enum class Setting : std::uint8_t { batch, live };

struct ParamsRules {
    Setting setting = Setting::batch;
    std::function<bool(std::string_view)> knows_model;
};

// Whether `params` is a Responses request as Sail takes them: the protocol's own rules, and the vendor's.
// Paths in the refusal begin at the request: "metadata.completion_window".
Checked<> check_params(std::string_view params, const ParamsRules& rules);

}  // namespace sheaf::dialect::sail
