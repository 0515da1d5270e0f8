#pragma once

#include "dialect/results.h"

namespace sheaf::dialect::native {

// The receipt of an ended batch, as JSON Lines: what it was, then each item with its outcome and the SHA-256
// of its line, in order of submission, then the SHA-256 of all that. The same bytes every time.
// docs/api/sheaf.md says what they are; `sheaf verify` reads them.
//
// conflict: the batch has not ended.
async::Task<Result<http::Response>> send_receipt(service::Batches& batches, core::Batch batch,
                                                 LineOfUnrun line_of_unrun);

}  // namespace sheaf::dialect::native
