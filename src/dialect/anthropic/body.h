#pragma once

#include <cstdint>
#include <string>

#include "async/task.h"
#include "dialect/anthropic/errors.h"
#include "http/message.h"

namespace sheaf::dialect::anthropic {

// Refuses a body that is compressed. Its Content-Type is not looked at: some clients name another, or none.
Checked<> check_encoding(const http::Request& request);

// The body of a call, which is JSON of at most `bytes_max`; it is not parsed here.
async::Task<Checked<std::string>> read_body(http::Request& request, std::uint64_t bytes_max);

}  // namespace sheaf::dialect::anthropic
