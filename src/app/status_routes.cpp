#include "app/status_routes.h"

#include "jsonl/writer.h"

namespace sheaf::app {
namespace {

http::Response answer(int status, jsonl::Writer json) {
    http::Response response{.status = status};
    response.headers.add("Content-Type", "application/json");
    response.body = json.take();
    return response;
}

http::Response refuse(int status, std::string_view code, std::string_view message) {
    jsonl::Writer json;
    json.open_object().member("code", code).member("message", message).close_object();
    return answer(status, std::move(json));
}

async::Task<http::Response> health(StatusParts parts) {
    const auto health = parts.store.health();
    jsonl::Writer json;
    json.open_object().member("status", health ? "ok" : "failing").close_object();
    co_return answer(health ? 200 : 503, std::move(json));
}

async::Task<http::Response> stats(StatusParts parts, http::Request& request) {
    const auto key = request.headers.find("x-api-key").value_or("");
    if (auto account = co_await parts.accounts.authenticate(key); !account) {
        co_return refuse(401, "api_key_invalid", "Send a valid API key in the header x-api-key.");
    }
    const media::MediaStats media = parts.media.stats();
    jsonl::Writer json;
    json.open_object().key("media").open_object();
    json.member("decodes", media.decodes).member("probes", media.probes);
    json.member("cache_hits", media.cache_hits).member("cache_bytes", media.cache_bytes);
    json.close_object().close_object();
    co_return answer(200, std::move(json));
}

async::Task<http::Response> not_found(http::Request&) {
    co_return refuse(404, "not_found",
                     "There is nothing here. The APIs are under /v1, /sail/v1, /v1.3 and /sheaf/v1.");
}

async::Task<http::Response> method_not_allowed(http::Request& request) {
    http::Response response = refuse(405, "method_not_allowed", "This path does not take that method.");
    if (const auto allow = request.headers.find("allow")) response.headers.add("Allow", std::string(*allow));
    co_return response;
}

}  // namespace

void add_status_routes(http::Router& router, StatusParts parts) {
    router.add("GET", "/healthz", [parts](http::Request&) { return health(parts); });
    router.add("GET", "/stats", [parts](http::Request& request) { return stats(parts, request); });
    router.add_fallbacks("/", {.not_found = not_found, .method_not_allowed = method_not_allowed});
}

}  // namespace sheaf::app
