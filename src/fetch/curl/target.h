#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "fetch/address.h"

namespace sheaf::fetch {

// Where a URL leads, as libcurl reads it: the same parser that makes the connection.
struct Target {
    std::string url;                   // normalised; what is given to libcurl
    std::string host;                  // a name or an address, without brackets
    std::optional<IpAddress> address;  // when the host is one
    std::uint16_t port = 0;
};

// invalid: not an http or https URL, or one of the forms that parsers read differently: credentials, control
// characters, backslashes, encoded hosts, zones, hosts that look like a number but are no address.
Result<Target> parse_target(const std::string& url);

}  // namespace sheaf::fetch
