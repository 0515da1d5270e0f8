#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sheaf::http {

// Where a server is: "https://host:port".
struct Origin {
    bool tls = false;
    std::string host;  // a name or an address, without brackets
    std::string port;
    std::string authority;  // as the Host header has it
};

// What follows the authority is ignored. invalid: another scheme, user information, or no host.
Result<Origin> parse_origin(std::string_view url);

}  // namespace sheaf::http
