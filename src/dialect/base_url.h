#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace sheaf::dialect {

// The server's address as whoever sent `request` reaches it, without a slash at the end: `public_url` where
// the operator set one. Else it is made of Host and of what a proxy took away: the path in
// X-Forwarded-Prefix, and https where X-Forwarded-Proto says so. Neither can name another host, so no proxy
// needs to be trusted for it.
std::string base_url(const http::Request& request, std::string_view public_url);

}  // namespace sheaf::dialect
