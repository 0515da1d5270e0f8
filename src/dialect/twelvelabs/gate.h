#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "async/task.h"
#include "base/clock.h"
#include "base/id.h"
#include "dialect/rate_limiter.h"
#include "dialect/twelvelabs/errors.h"
#include "http/router.h"
#include "service/accounts.h"

namespace sheaf::dialect::twelvelabs {

// A request whose caller is known.
struct Call {
    http::Request& request;
    AccountId account;
    // The first {…} of the route, as an id; nullopt when it is none.
    template <class Id>
    std::optional<Id> id() const {
        return Id::parse(request.path_parameters.at(0));
    }
};

// What stands before every route: who calls, how often, and in what form errors are told. Outlives the
// router.
class Gate {
public:
    struct Parts {
        service::Accounts* accounts = nullptr;
        std::function<Timestamp()> now;
        std::uint32_t requests_per_minute = 0;
    };
    explicit Gate(Parts parts) : parts_(std::move(parts)), limiter_(parts_.requests_per_minute) {}

    using Endpoint = std::function<async::Task<Reply>(Call&)>;
    using OpenEndpoint = std::function<async::Task<Reply>(http::Request&)>;
    enum class Rate : std::uint8_t { counted, free };
    // Answers 401 before anything of the request is looked at, its body included.
    http::Handler keyed(Endpoint endpoint, Rate rate = Rate::counted);
    // For routes that carry their own right.
    http::Handler open(OpenEndpoint endpoint);

private:
    async::Task<http::Response> answer(http::Request& request, const Endpoint& endpoint, Rate rate);
    async::Task<http::Response> answer_open(http::Request& request, const OpenEndpoint& endpoint);
    async::Task<Checked<AccountId>> identify(const http::Request& request);

    Parts parts_;
    RateLimiter limiter_;
};

}  // namespace sheaf::dialect::twelvelabs
