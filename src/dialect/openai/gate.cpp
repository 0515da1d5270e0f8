#include "dialect/openai/gate.h"

#include <array>
#include <chrono>

#include "base/hash.h"
#include "base/log.h"
#include "dialect/credentials.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::string_view kApiVersion = "2020-10-01";

using SteadyClock = std::chrono::steady_clock;

std::string make_request_id() {
    std::array<unsigned char, 16> bytes{};
    fill_random(bytes.data(), bytes.size());
    return "req_" + to_hex(bytes);
}

http::Response finish(Reply reply, const http::Request& request, SteadyClock::time_point begun) {
    const std::string id = make_request_id();
    if (!reply && reply.error().status >= 500) {
        log::warning("a call was answered with an error", {{"method", request.method},
                                                           {"path", request.path},
                                                           {"status", reply.error().status},
                                                           {"request", id},
                                                           {"why", reply.error().message}});
    }
    http::Response response = reply ? std::move(*reply) : to_response(reply.error());
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - begun);
    response.headers.add("x-request-id", id);
    response.headers.add("openai-version", std::string(kApiVersion));
    response.headers.add("openai-processing-ms", std::to_string(took.count()));
    return response;
}

}  // namespace

http::Handler Gate::keyed(Endpoint endpoint) {
    return
        [this, endpoint = std::move(endpoint)](http::Request& request) { return answer(request, endpoint); };
}

async::Task<http::Response> Gate::answer(http::Request& request, const Endpoint& endpoint) {
    const auto begun = SteadyClock::now();
    Checked<AccountId> account = co_await identify(request);
    if (!account) co_return finish(std::unexpected(account.error()), request, begun);
    Call call{request, std::move(*account)};
    Reply reply = co_await endpoint(call);
    co_return finish(std::move(reply), request, begun);
}

async::Task<Checked<AccountId>> Gate::identify(const http::Request& request) {
    const auto key = find_key(request.headers, KeyHeader::authorization);
    if (!key) {
        co_return refuse(401,
                         "You did not provide an API key. Send it in a header: Authorization: Bearer <key>.");
    }
    auto caller = co_await accounts_->authenticate(*key);
    if (caller) co_return std::move(caller->account);
    if (caller.error().code != ErrorCode::denied) co_return refuse(caller.error());
    co_return refuse(401, "The API key is unknown or no longer valid.", {}, code::kInvalidApiKey);
}

}  // namespace sheaf::dialect::openai
