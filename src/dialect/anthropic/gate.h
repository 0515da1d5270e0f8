#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "async/task.h"
#include "base/clock.h"
#include "base/id.h"
#include "dialect/anthropic/errors.h"
#include "dialect/anthropic/words.h"
#include "dialect/rate_limiter.h"
#include "http/router.h"
#include "service/accounts.h"

namespace sheaf::dialect::anthropic {

// A request whose caller is known.
struct Call {
    http::Request& request;
    service::Caller caller;
    Version version = Version::v2023_06_01;
    std::string request_id;  // which the answer carries
};

// What stands before every route: who calls, in which version, how often, and in what form errors are told.
// Outlives the router.
//
// A key counts whether it comes as x-api-key, which wins, or as a bearer token. The query parameter `beta`
// and the header anthropic-beta change nothing.
class Gate {
public:
    struct Parts {
        service::Accounts* accounts = nullptr;
        std::function<Timestamp()> now;
        std::uint32_t requests_per_minute = 0;
    };
    explicit Gate(Parts parts) : parts_(std::move(parts)), limiter_(parts_.requests_per_minute) {}

    using Endpoint = std::function<async::Task<Reply>(Call&)>;
    // Answers 401 before anything of the request is looked at, its body included.
    http::Handler keyed(Endpoint endpoint);
    // How paths that the vendor does not have, and methods that its paths do not know, are answered.
    http::Router::Fallbacks fallbacks();

private:
    async::Task<http::Response> answer(http::Request& request, const Endpoint& endpoint);
    async::Task<http::Response> answer_with_allow(http::Request& request, const Endpoint& endpoint);
    async::Task<Checked<Call>> identify(http::Request& request);

    Parts parts_;
    RateLimiter limiter_;
};

}  // namespace sheaf::dialect::anthropic
