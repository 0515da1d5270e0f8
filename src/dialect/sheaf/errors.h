#pragma once

#include "base/error.h"
#include "http/message.h"

namespace sheaf::dialect::native {

// {"error":{"code":…,"message":…,"field":…}}: the code is our own word for what the caller should do, and
// `field` is there when one value is wrong.
http::Response to_response(const Error& error);
http::Response to_response(int status, std::string_view code, std::string_view message);

http::Response json_response(int status, std::string body);

}  // namespace sheaf::dialect::native
