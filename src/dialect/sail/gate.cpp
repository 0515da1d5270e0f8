#include "dialect/sail/gate.h"

#include "base/log.h"
#include "dialect/credentials.h"

namespace sheaf::dialect::sail {
namespace {

http::Response finish(Reply reply, const http::Request& request) {
    http::Response response;
    if (reply) {
        response = std::move(*reply);
    } else {
        if (reply.error().status >= 500) {
            log::warning("a call was answered with an error", {{"method", request.method},
                                                               {"path", request.path},
                                                               {"status", reply.error().status},
                                                               {"why", reply.error().message}});
        }
        response = to_response(reply.error());
    }
    add_request_id(response);
    return response;
}

}  // namespace

http::Handler Gate::keyed(Endpoint endpoint) {
    return
        [this, endpoint = std::move(endpoint)](http::Request& request) { return answer(request, endpoint); };
}

async::Task<http::Response> Gate::answer(http::Request& request, const Endpoint& endpoint) {
    Checked<service::Caller> caller = co_await identify(request);
    if (!caller) co_return finish(std::unexpected(caller.error()), request);
    Call call{request, std::move(*caller)};
    Reply reply = co_await endpoint(call);
    co_return finish(std::move(reply), request);
}

async::Task<Checked<service::Caller>> Gate::identify(const http::Request& request) {
    const auto key = find_key(request.headers, KeyHeader::authorization);
    if (key) {
        auto caller = co_await accounts_->authenticate(*key);
        if (caller) co_return std::move(*caller);
        if (caller.error().code != ErrorCode::denied) co_return refuse(caller.error());
    }
    co_return std::unexpected(ErrorObject{.status = 401,
                                          .type = "authentication_error",
                                          .message = "The API key is missing, unknown or no longer valid.",
                                          .code = "invalid_api_key"});
}

}  // namespace sheaf::dialect::sail
