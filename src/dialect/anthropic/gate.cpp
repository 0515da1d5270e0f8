#include "dialect/anthropic/gate.h"

#include <fmt/format.h>

#include "base/log.h"
#include "dialect/credentials.h"

namespace sheaf::dialect::anthropic {
namespace {

void add_rate_headers(http::Response& response, const RateLimiter::Verdict& verdict, std::uint32_t limit) {
    constexpr std::string_view kFamily = "anthropic-ratelimit-requests";
    response.headers.add(fmt::format("{}-limit", kFamily), std::to_string(limit));
    response.headers.add(fmt::format("{}-remaining", kFamily), std::to_string(verdict.remaining));
    response.headers.add(fmt::format("{}-reset", kFamily),
                         to_time(Timestamp(std::chrono::seconds(verdict.reset_at))));
}

http::Response finish(Reply reply, const http::Request& request, const std::string& request_id) {
    if (!reply && reply.error().status >= 500) {
        log::warning("a call was answered with an error", {{"request", request_id},
                                                           {"method", request.method},
                                                           {"path", request.path},
                                                           {"status", reply.error().status},
                                                           {"why", reply.error().message}});
    }
    http::Response response = reply ? std::move(*reply) : to_response(reply.error(), request_id);
    response.headers.add("request-id", request_id);
    return response;
}

std::unexpected<Problem> refuse_version(std::string_view word) {
    constexpr std::size_t kShown = 64;
    return refuse(
        fmt::format("anthropic-version: \"{}\" is not a known version; use 2023-06-01 or 2026-10-21",
                    word.substr(0, kShown)));
}

async::Task<Reply> refuse_path() {
    co_return refuse(404, type::kNotFound, "Not found.");
}

async::Task<Reply> refuse_method() {
    co_return refuse(405, type::kInvalidRequest, "Method not allowed.");
}

}  // namespace

http::Handler Gate::keyed(Endpoint endpoint) {
    return
        [this, endpoint = std::move(endpoint)](http::Request& request) { return answer(request, endpoint); };
}

http::Router::Fallbacks Gate::fallbacks() {
    return {.not_found = keyed([](Call&) { return refuse_path(); }),
            .method_not_allowed = [this, refuse = Endpoint([](Call&) { return refuse_method(); })](
                                      http::Request& request) { return answer_with_allow(request, refuse); }};
}

async::Task<http::Response> Gate::answer_with_allow(http::Request& request, const Endpoint& endpoint) {
    http::Response response = co_await answer(request, endpoint);
    if (response.status == 405)
        response.headers.add("Allow", std::string(request.headers.find("allow").value_or("")));
    co_return response;
}

async::Task<http::Response> Gate::answer(http::Request& request, const Endpoint& endpoint) {
    const std::string request_id = make_request_id(parts_.now());
    Checked<Call> call = co_await identify(request);
    if (!call) co_return finish(std::unexpected(call.error()), request, request_id);
    call->request_id = request_id;
    const auto verdict = limiter_.count(call->caller.account, parts_.now());
    if (verdict && !verdict->allowed) {
        Problem problem{429, type::kRateLimit, "Too many requests in this minute."};
        problem.retry_after_s = static_cast<int>(verdict->until_reset.count());
        http::Response refusal = finish(std::unexpected(std::move(problem)), request, request_id);
        add_rate_headers(refusal, *verdict, parts_.requests_per_minute);
        co_return refusal;
    }
    Reply reply = co_await endpoint(*call);
    http::Response response = finish(std::move(reply), request, request_id);
    if (verdict) add_rate_headers(response, *verdict, parts_.requests_per_minute);
    co_return response;
}

async::Task<Checked<Call>> Gate::identify(http::Request& request) {
    const auto key = find_key(request.headers, KeyHeader::x_api_key);
    if (!key) co_return refuse(401, type::kAuthentication, "x-api-key header is required");
    auto caller = co_await parts_.accounts->authenticate(*key);
    if (!caller && caller.error().code == ErrorCode::denied)
        co_return refuse(401, type::kAuthentication, "invalid x-api-key");
    if (!caller) co_return refuse(caller.error());
    const auto word = request.headers.find("anthropic-version");
    const auto version = word ? parse_version(*word) : Version::v2023_06_01;
    if (!version) co_return refuse_version(*word);
    co_return Call{request, std::move(*caller), *version, {}};
}

}  // namespace sheaf::dialect::anthropic
