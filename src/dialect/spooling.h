#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/result.h"
#include "http/message.h"
#include "service/batches.h"

namespace sheaf::dialect {

// Takes the body of a create call to the store as it arrives, in memory that does not depend on its size.
// Dropped, it leaves nothing. Errors are the reader's (too_large, canceled, timed_out, invalid) and the
// store's.
async::Task<Result<service::Spool>> spool_body(http::Request& request, service::Batches& batches,
                                               std::uint64_t bytes_max);

// A SHA-256 chain over pieces of 1 MiB as hex: the same for the same bytes. Others of this executor run
// between the pieces.
async::Task<std::string> fingerprint_of(std::string_view body);

}  // namespace sheaf::dialect
