#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"

namespace sheaf::jsonl {

// Cuts a large document into its parts without building it: one pass, no copies, memory independent of its
// size. The views lie in `json`; a part is checked no further than brackets and quotes need, so parse each.

// Calls `member` with the (decoded) key and the value's bytes of each member of the object `json`, in order.
// invalid: not an object, not balanced, something after it, or an error from `member`.
Result<> for_each_member(std::string_view json,
                         const std::function<Result<>(std::string_view key, std::string_view value)>& member);

// The same for the elements of the array `json`.
Result<> for_each_element(std::string_view json,
                          const std::function<Result<>(std::size_t index, std::string_view value)>& element);

}  // namespace sheaf::jsonl
