#pragma once

#include <functional>

#include "async/task.h"
#include "dialect/sail/errors.h"
#include "http/router.h"
#include "service/accounts.h"

namespace sheaf::dialect::sail {

// A request whose caller is known.
struct Call {
    http::Request& request;
    service::Caller caller;
};

// What stands before every route: who calls, and in what form errors are told. Outlives the router.
class Gate {
public:
    explicit Gate(service::Accounts& accounts) : accounts_(&accounts) {}

    using Endpoint = std::function<async::Task<Reply>(Call&)>;
    // Answers 401 before anything of the request is looked at, its body included.
    http::Handler keyed(Endpoint endpoint);
    // The same for one request; `endpoint` outlives the task.
    async::Task<http::Response> answer(http::Request& request, const Endpoint& endpoint);

private:
    async::Task<Checked<service::Caller>> identify(const http::Request& request);

    service::Accounts* accounts_;
};

}  // namespace sheaf::dialect::sail
