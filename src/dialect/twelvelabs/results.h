#pragma once

#include <string>

#include "async/task.h"
#include "dialect/twelvelabs/gate.h"
#include "service/batches.h"

namespace sheaf::dialect::twelvelabs {

// The results of a batch as JSON Lines: one line per item, in order of submission, as they are now.
//
// A batch whose lines are laid out is sent as a file. Of another, pages are read one after the other, each of
// them one state of the store. When a page cannot be read after the first, the connection is cut, so that
// nobody takes what came for all of it.
async::Task<Reply> send_results(service::Batches& batches, core::Batch batch);

}  // namespace sheaf::dialect::twelvelabs
