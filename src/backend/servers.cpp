#include "backend/servers.h"

#include <algorithm>
#include <utility>

#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "backend/refusal.h"
#include "base/clock.h"
#include "base/log.h"

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRest{1'000};
constexpr std::chrono::milliseconds kRestMax{60'000};

bool wants_rest(int status) {
    return status == 429 || status == 503 || status == 529;
}

// A call that our own cancellation ended reports it as an error, which its caller must not take for an
// answer.
async::Task<void> stop_if_canceled() {
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none)
        throw boost::system::system_error(boost::asio::error::operation_aborted);
}

}  // namespace

struct Servers::Server {
    std::string url;
    std::string path;  // of the URL: "/v1"
    std::unique_ptr<http::Client> client;
    bool refuses_key = false;
};

// A call under way, counted for as long as it lasts, however it ends.
class Servers::Visit {
public:
    explicit Visit(ServerRoster& roster) : roster_(&roster), server_(roster.choose(Clock::now())) {}
    ~Visit() { roster_->leave(server_); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    std::size_t server() const { return server_; }

private:
    ServerRoster* roster_;
    std::size_t server_;
};

Result<std::unique_ptr<Servers>> Servers::make(async::Executor executor, ServersOptions options) {
    if (options.urls.empty()) return fail(ErrorCode::invalid, "a model needs the URL of its server");
    std::vector<Server> servers;
    for (const auto& url : options.urls) {
        const auto scheme = url.find("://");
        if (scheme == std::string::npos || url.find_first_of("?#@") != std::string::npos)
            return fail(ErrorCode::invalid, "the model server's URL must be like http://127.0.0.1:8000/v1",
                        "url");
        const auto slash = url.find('/', scheme + 3);
        auto client = http::Client::make(executor, url.substr(0, slash), {});
        if (!client) return std::unexpected(client.error());
        std::string path = slash == std::string::npos ? "" : url.substr(slash);
        while (path.ends_with('/')) path.pop_back();
        servers.push_back({.url = url, .path = std::move(path), .client = *std::move(client)});
    }
    return std::unique_ptr<Servers>(new Servers(executor, std::move(options), std::move(servers)));
}

Servers::Servers(async::Executor executor, ServersOptions options, std::vector<Server> servers)
    : options_(std::move(options)),
      servers_(std::move(servers)),
      roster_(servers_.size(), options_.ejection),
      ejected_(executor),
      tasks_(executor) {}

Servers::~Servers() = default;

async::Task<Result<http::ClientResponse>> Servers::send(ServerCall call) {
    co_return co_await exchange(std::move(call), nullptr);
}

async::Task<Result<http::ClientResponse>> Servers::send_streaming(ServerCall call, http::Client::Sink sink) {
    co_return co_await exchange(std::move(call), &sink);
}

async::Task<Result<http::ClientResponse>> Servers::exchange(ServerCall call, const http::Client::Sink* sink) {
    if (servers_.size() > 1 && tasks_.size() == 0 && !is_stopped_) tasks_.spawn(look_after());
    const Visit visit(roster_);
    const Server& server = servers_[visit.server()];
    auto made = request(server, std::move(call), sink != nullptr);
    auto response = sink != nullptr ? co_await server.client->send_streaming(std::move(made), *sink)
                                    : co_await server.client->send(std::move(made));
    co_await stop_if_canceled();
    judge(visit.server(), response);
    co_return response;
}

http::ClientRequest Servers::request(const Server& server, ServerCall call, bool is_streamed) const {
    http::ClientRequest made;
    made.target = call.below == ServerCall::Below::url ? server.path + call.path : call.path;
    made.headers = std::move(call.headers);
    made.headers.add("Content-Type", "application/json");
    made.headers.add("Accept", is_streamed ? "text/event-stream" : "application/json");
    if (!options_.key.empty()) made.headers.add("Authorization", "Bearer " + options_.key.reveal());
    made.body = std::move(call.body);
    made.time_max = options_.answer_time;
    return made;
}

void Servers::judge(std::size_t server, const Result<http::ClientResponse>& response) {
    const auto now = Clock::now();
    if (!response) {
        const auto code = response.error().code;
        const bool is_broken = code == ErrorCode::unavailable || code == ErrorCode::timed_out;
        tell(server, is_broken ? roster_.broke(server, now) : roster_.answered(server, now),
             response.error().message);
        return;
    }
    const int status = response->status;
    const bool is_broken = status >= 500 && !wants_rest(status);
    tell(server, is_broken ? roster_.broke(server, now) : roster_.answered(server, now),
         fmt::format("it answered {}", status));
    if (wants_rest(status))
        roster_.rest(
            server,
            now + std::min(retry_after(response->headers, SystemClock().now()).value_or(kRest), kRestMax));
    tell_refused_key(servers_[server], status);
}

void Servers::tell(std::size_t server, ServerRoster::Change change, std::string_view reason) {
    switch (change) {
        case ServerRoster::Change::none:
            return;
        case ServerRoster::Change::ejected:
            log::warning("a model server keeps breaking and is left out while another answers",
                         {{"server", servers_[server].url}, {"reason", reason}});
            ejected_.ring();
            return;
        case ServerRoster::Change::returned:
            log::info("a model server answers again", {{"server", servers_[server].url}});
            return;
    }
}

// Once, and again after it was taken: every item would say it otherwise.
void Servers::tell_refused_key(Server& server, int status) {
    const bool refuses = status == 401 || status == 403;
    if (refuses && !server.refuses_key)
        log::error("a model server refuses our key", {{"server", server.url}, {"status", status}});
    if (refuses || status < 300) server.refuses_key = refuses;
}

async::Task<void> Servers::look_after() {
    while (true) {
        auto due = SteadyTime::max();
        for (std::size_t server = 0; server < servers_.size(); ++server) {
            if (roster_.probe_due(server) <= Clock::now()) co_await probe(server);
            due = std::min(due, roster_.probe_due(server));
        }
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
        if (wait > 0ms) co_await ejected_.wait_for(wait);
    }
}

async::Task<void> Servers::probe(std::size_t server) {
    const auto ask = [&](std::string target) {
        http::ClientRequest request;
        request.method = "GET";
        request.target = std::move(target);
        if (!options_.key.empty()) request.headers.add("Authorization", "Bearer " + options_.key.reveal());
        request.time_max = options_.probe_time;
        return servers_[server].client->send(std::move(request));
    };
    auto response = co_await ask(servers_[server].path + "/models");
    if (response && response->status == 404) response = co_await ask("/health");
    co_await stop_if_canceled();
    const bool is_good = response && response->status < 500;
    const auto now = Clock::now();
    tell(server, is_good ? roster_.answered(server, now) : roster_.broke(server, now),
         response ? fmt::format("it answered {}", response->status) : response.error().message);
}

core::Outcome Servers::outcome_of(const http::ClientResponse& response) const {
    auto outcome = outcome_of_status(response, options_.key, SystemClock().now());
    auto* overloaded = std::get_if<core::Overloaded>(&outcome);
    if (overloaded == nullptr || !overloaded->retry_after || servers_.size() == 1) return outcome;
    const auto now = Clock::now();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(roster_.free_at(now) - now);
    overloaded->retry_after = std::min(*overloaded->retry_after, wait);
    return outcome;
}

core::Outcome Servers::outcome_of(const Error& error) const {
    return outcome_of_error(error, options_.answer_time, options_.key);
}

async::Task<void> Servers::stop() {
    is_stopped_ = true;
    tasks_.stop();
    co_await tasks_.wait_until_empty();
}

}  // namespace sheaf::backend
