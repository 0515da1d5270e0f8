#pragma once

#include "base/clock.h"
#include "core/item_codec.h"
#include "store/batches.h"

namespace sheaf::scheduler {

// How the lines of a batch of the codec's dialect are laid out when it has ended. The codec outlives it.
store::Batches::Layout layout_of(const core::ItemCodec& codec, Timestamp now);

}  // namespace sheaf::scheduler
