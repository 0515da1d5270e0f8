#pragma once

#include <string_view>
#include <vector>

#include "core/item_codec.h"
#include "store/batches.h"

namespace sheaf::service {

// The order in which to run the draft's items, whose bodies lie in `body`; empty for that of submission.
// Takes one and a half to two microseconds an item of 2 kB (`./dev bench plan`). Threads: any.
std::vector<core::Planned> plan_of(const store::BatchDraft& draft, std::string_view body,
                                   const core::ItemCodec& codec);

}  // namespace sheaf::service
