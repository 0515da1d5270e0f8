#include "dialect/twelvelabs/gate.h"

#include <fmt/format.h>

#include "base/log.h"
#include "dialect/credentials.h"

namespace sheaf::dialect::twelvelabs {
namespace {

constexpr std::string_view kApiVersion = "1.3";

void add_rate_headers(http::Response& response, const RateLimiter::Verdict& verdict) {
    response.headers.add("X-RateLimit-Request-Remaining", std::to_string(verdict.remaining));
    response.headers.add("X-RateLimit-Request-Reset", std::to_string(verdict.reset_at));
}

http::Response finish(Reply reply, const http::Request& request) {
    http::Response response;
    if (reply) {
        response = std::move(*reply);
    } else {
        if (reply.error().status >= 500 && reply.error().code != code::kTimedOut) {
            log::warning("a call was answered with an error", {{"method", request.method},
                                                               {"path", request.path},
                                                               {"status", reply.error().status},
                                                               {"why", reply.error().message}});
        }
        response = to_response(reply.error());
    }
    response.headers.add("X-Api-Version", std::string(kApiVersion));
    return response;
}

}  // namespace

http::Handler Gate::keyed(Endpoint endpoint, Rate rate) {
    return [this, endpoint = std::move(endpoint), rate](http::Request& request) {
        return answer(request, endpoint, rate);
    };
}

http::Handler Gate::open(OpenEndpoint endpoint) {
    return [this, endpoint = std::move(endpoint)](http::Request& request) {
        return answer_open(request, endpoint);
    };
}

async::Task<http::Response> Gate::answer(http::Request& request, const Endpoint& endpoint, Rate rate) {
    Checked<AccountId> account = co_await identify(request);
    if (!account) co_return finish(std::unexpected(account.error()), request);
    const auto verdict = rate == Rate::counted ? limiter_.count(*account, parts_.now()) : std::nullopt;
    if (verdict && !verdict->allowed) {
        Problem problem{429, std::string(code::kTooManyRequests), "Too many requests in this minute."};
        problem.retry_after_s = static_cast<int>(verdict->until_reset.count());
        http::Response refusal = finish(std::unexpected(std::move(problem)), request);
        add_rate_headers(refusal, *verdict);
        co_return refusal;
    }
    Call call{request, std::move(*account)};
    Reply reply = co_await endpoint(call);
    http::Response response = finish(std::move(reply), request);
    if (verdict) add_rate_headers(response, *verdict);
    co_return response;
}

async::Task<http::Response> Gate::answer_open(http::Request& request, const OpenEndpoint& endpoint) {
    Reply reply = co_await endpoint(request);
    co_return finish(std::move(reply), request);
}

async::Task<Checked<AccountId>> Gate::identify(const http::Request& request) {
    const auto key = find_key(request.headers, KeyHeader::x_api_key);
    if (key) {
        auto caller = co_await parts_.accounts->authenticate(*key);
        if (caller) co_return std::move(caller->account);
        if (caller.error().code != ErrorCode::denied) co_return refuse(caller.error());
    }
    co_return refuse(401, code::kApiKeyInvalid, "The API key is missing, unknown or no longer valid.");
}

}  // namespace sheaf::dialect::twelvelabs
