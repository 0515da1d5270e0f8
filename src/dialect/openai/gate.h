#pragma once

#include <functional>
#include <string_view>

#include "async/task.h"
#include "base/id.h"
#include "dialect/openai/errors.h"
#include "http/router.h"
#include "service/accounts.h"

namespace sheaf::dialect::openai {

// A request whose caller is known.
struct Call {
    http::Request& request;
    AccountId account;
    // What the first {…} of the route matched.
    std::string_view name() const { return request.path_parameters.at(0); }
};

// What stands before every route: who calls, in what form errors are told, and the headers that every answer
// has. Outlives the router.
class Gate {
public:
    explicit Gate(service::Accounts& accounts) : accounts_(&accounts) {}

    using Endpoint = std::function<async::Task<Reply>(Call&)>;
    // Answers 401 before anything of the request is looked at, its body included.
    http::Handler keyed(Endpoint endpoint);
    // The same for one request. `endpoint` outlives the task.
    async::Task<http::Response> answer(http::Request& request, const Endpoint& endpoint);

private:
    async::Task<Checked<AccountId>> identify(const http::Request& request);

    service::Accounts* accounts_;
};

}  // namespace sheaf::dialect::openai
