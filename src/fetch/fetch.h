#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sheaf::fetch {

struct FetchPolicy {
    // Networks that may be reached although they are private, loopback or otherwise not public: "10.0.0.0/8".
    std::vector<std::string> allowed_networks;
    std::chrono::seconds connect_time{10};
    std::chrono::seconds time_max{1800};
    std::uint32_t stall_bytes_per_second = 1024;  // slower than this for stall_time ends it
    std::chrono::seconds stall_time{60};
    std::uint32_t redirects_max = 5;
};

struct Fetched {
    std::string content_type;  // as the server said it; never trusted
    std::uint64_t bytes = 0;
};

// Gets what a client's URL points to. Only http and https; every address that is connected to, also after a
// redirect, was checked: public, or in an allowed network. The check is made on the address of the connection
// itself, so that a name cannot change between the check and the use. No proxy, no credentials in the URL.
//
// Blocks; any thread. invalid: not a URL we take. denied: the address is not allowed (the same words whether
// or not something listens there). too_large: more than `bytes_max`. unavailable: anything else; `message` is
// for people. An error of the sink ends the transfer and is returned as it is. While nothing arrives, the
// sink is called with no bytes about once a second, so that it can give up.
class Fetcher {
public:
    virtual ~Fetcher() = default;
    using Sink = std::function<Result<>(std::string_view bytes)>;
    virtual Result<Fetched> get(const std::string& url, std::uint64_t bytes_max, const Sink& sink) = 0;
};

Result<std::unique_ptr<Fetcher>> make_curl_fetcher(FetchPolicy policy);

}  // namespace sheaf::fetch
