#include "backend/servers.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include "backend/gauges.h"
#include "backend/refusal.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kRest{1'000};
constexpr std::chrono::milliseconds kRestMax{60'000};
constexpr std::chrono::milliseconds kGaugesTime{2'000};
// A server that shows no gauges is asked again after this long: it may be another by then.
constexpr std::chrono::minutes kNoGaugesFor{10};
constexpr std::chrono::milliseconds kLookAgain{5'000};
// A window that has changed by less is not worth a line.
constexpr double kWindowTold = 0.1;

bool wants_rest(int status) {
    return status == 429 || status == 503 || status == 529;
}

AdmissionWindow::End end_of(const Result<http::ClientResponse>& response) {
    using enum AdmissionWindow::End;
    if (!response) return response.error().code == ErrorCode::timed_out ? timed_out : other;
    if (wants_rest(response->status)) return refused;
    return response->status < 300 ? good : other;
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
    std::string path;                      // of the URL: "/v1"
    std::shared_ptr<http::Client> client;  // shared by the calls under way
    bool refuses_key = false;
    std::optional<AdmissionWindow> window = std::nullopt;
    std::uint32_t window_told = 0;
    bool are_gauges_read = false;
    Clock::time_point gauges_from = {};  // not asked for before
    Clock::time_point probed_at = {};
};

// A call under way, counted for as long as it lasts, however it ends.
class Servers::Visit {
public:
    Visit(Servers& servers, std::uint64_t prefix)
        : servers_(&servers), began_(Clock::now()), server_(servers.roster_.choose(began_, prefix)) {
        if (auto& window = servers.servers_[server_].window) window->began(began_);
    }
    ~Visit() {
        servers_->roster_.leave(server_);
        if (auto& window = servers_->servers_[server_].window) window->ended(end_, began_, Clock::now());
        servers_->note_window(server_);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    std::size_t server() const { return server_; }
    void set_end(AdmissionWindow::End end) { end_ = end; }

private:
    Servers* servers_;
    Clock::time_point began_;
    std::size_t server_;
    AdmissionWindow::End end_ = AdmissionWindow::End::other;
};

Result<Servers::Server> Servers::make_server(async::Executor executor, const std::string& url) {
    const auto scheme = url.find("://");
    if (scheme == std::string::npos || url.find_first_of("?#@") != std::string::npos)
        return fail(ErrorCode::invalid, "the model server's URL must be like http://127.0.0.1:8000/v1",
                    "url");
    const auto slash = url.find('/', scheme + 3);
    auto client = http::Client::make(executor, url.substr(0, slash), {});
    if (!client) return std::unexpected(client.error());
    std::string path = slash == std::string::npos ? "" : url.substr(slash);
    while (path.ends_with('/')) path.pop_back();
    return Server{.url = url, .path = std::move(path), .client = *std::move(client)};
}

Result<std::unique_ptr<Servers>> Servers::make(async::Executor executor, ServersOptions options) {
    if (options.urls.empty()) return fail(ErrorCode::invalid, "a model needs the URL of its server");
    std::vector<Server> servers;
    for (const auto& url : options.urls) {
        auto server = make_server(executor, url);
        if (!server) return std::unexpected(server.error());
        servers.push_back(*std::move(server));
    }
    return std::unique_ptr<Servers>(new Servers(executor, std::move(options), std::move(servers)));
}

void Servers::move(const std::string& url) {
    auto moved = make_server(executor_, url);
    CHECK(moved && servers_.size() == 1, "the only server moves, to a URL that we made");
    Server& server = servers_.front();
    server.url = std::move(moved->url);
    server.path = std::move(moved->path);
    server.client = std::move(moved->client);
    server.gauges_from = {};
    tell(0, roster_.answered(0, Clock::now()), "it was started");
}

Servers::Servers(async::Executor executor, ServersOptions options, std::vector<Server> servers)
    : executor_(executor),
      options_(std::move(options)),
      servers_(std::move(servers)),
      roster_(servers_.size(), options_.ejection),
      ejected_(executor),
      returned_(executor),
      tasks_(executor) {
    if (!options_.admission) return;
    for (std::size_t server = 0; server < servers_.size(); ++server) {
        servers_[server].window.emplace(*options_.admission);
        note_window(server);
    }
}

Servers::~Servers() = default;

async::Task<Result<http::ClientResponse>> Servers::send(ServerCall call) {
    co_return co_await exchange(std::move(call), nullptr);
}

async::Task<Result<http::ClientResponse>> Servers::send_streaming(ServerCall call, http::Client::Sink sink) {
    co_return co_await exchange(std::move(call), &sink);
}

async::Task<Result<http::ClientResponse>> Servers::exchange(ServerCall call, const http::Client::Sink* sink) {
    if (servers_.size() > 1) start_looking_after();
    Visit visit(*this, call.prefix);
    Server& server = servers_[visit.server()];
    if (server.window && !server.are_gauges_read && !is_stopped_ && Clock::now() >= server.gauges_from)
        tasks_.spawn(read_gauges(visit.server()));
    auto made = request(server, std::move(call), sink != nullptr);
    const auto client = server.client;
    auto response = sink != nullptr ? co_await client->send_streaming(std::move(made), *sink)
                                    : co_await client->send(std::move(made));
    co_await stop_if_canceled();
    visit.set_end(end_of(response));
    judge(visit.server(), response);
    co_return response;
}

std::size_t Servers::count() const {
    return servers_.size();
}

std::optional<std::size_t> Servers::home_of(std::uint64_t prefix) const {
    if (prefix == 0 || servers_.size() == 1) return std::nullopt;
    return roster_.home_of(prefix, Clock::now());
}

std::optional<std::uint32_t> Servers::window() const {
    if (!options_.admission) return std::nullopt;
    std::uint32_t sum = 0;
    for (std::size_t server = 0; server < servers_.size(); ++server)
        if (!roster_.is_ejected(server)) sum += servers_[server].window->size();
    return std::max(sum, 1U);
}

void Servers::note_window(std::size_t number) {
    Server& server = servers_[number];
    if (!server.window) return;
    const auto size = server.window->size();
    roster_.set_size(number, size);
    const auto told = static_cast<double>(server.window_told);
    if (std::abs(size - told) > told * kWindowTold) {
        log::debug("a model server's window", {{"server", server.url}, {"calls", size}});
        server.window_told = size;
    }
    const auto sum = *window();
    if (sum > std::exchange(last_window_, sum) && on_wider_window_) on_wider_window_();
}

async::Task<void> Servers::read_gauges(std::size_t number) {
    Server& server = servers_[number];
    server.are_gauges_read = true;
    while (server.window->under_way() > 0 && Clock::now() >= server.gauges_from) {
        http::ClientRequest request;
        request.method = "GET";
        request.target = "/metrics";
        if (!options_.key.empty()) request.headers.add("Authorization", "Bearer " + options_.key.reveal());
        request.time_max = kGaugesTime;
        const auto client = server.client;
        const auto response = co_await client->send(std::move(request));
        co_await stop_if_canceled();
        const auto gauges = response && response->status == 200 ? parse_gauges(response->body) : std::nullopt;
        if (gauges) {
            server.window->saw(*gauges, Clock::now());
            note_window(number);
        } else if (response) {
            server.gauges_from = Clock::now() + kNoGaugesFor;
        }
        co_await async::sleep_for(options_.gauges_every);
    }
    server.are_gauges_read = false;
}

async::Task<void> Servers::ready_for(Backend::Try attempt) {
    while (roster_.are_all_ejected() && !is_stopped_) co_await returned_.wait_for(kLookAgain);
    switch (attempt) {
        case Backend::Try::first:
            retries_.deposit();
            break;
        case Backend::Try::after_break:
            while (!retries_.take(Clock::now()))
                co_await async::sleep_for(
                    std::chrono::ceil<std::chrono::milliseconds>(retries_.next(Clock::now()) - Clock::now()));
            break;
    }
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
            log::warning(roster_.are_all_ejected()
                             ? "a model server keeps breaking, and no other is left: batch work waits for it"
                             : "a model server keeps breaking and is left out while another answers",
                         {{"server", servers_[server].url}, {"reason", reason}});
            start_looking_after();
            ejected_.ring();
            note_window(server);
            return;
        case ServerRoster::Change::returned:
            log::info("a model server answers again", {{"server", servers_[server].url}});
            returned_.ring();
            note_window(server);
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

void Servers::start_looking_after() {
    if (!std::exchange(is_looked_after_, true) && !is_stopped_) tasks_.spawn(look_after());
}

// While work waits for any of them there is no point in leaving one alone for long: what broke may have been
// the fault of a few items.
Clock::time_point Servers::probe_due(std::size_t server) const {
    return roster_.are_all_ejected() ? servers_[server].probed_at + options_.ejection.all_out_every
                                     : roster_.probe_due(server);
}

async::Task<void> Servers::look_after() {
    while (true) {
        auto due = Clock::now() + 1h;
        for (std::size_t server = 0; server < servers_.size(); ++server) {
            if (servers_.size() == 1 && !roster_.is_ejected(server)) continue;
            if (probe_due(server) <= Clock::now()) co_await probe(server);
            due = std::min(due, probe_due(server));
        }
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
        if (wait > 0ms) co_await ejected_.wait_for(wait);
    }
}

async::Task<void> Servers::probe(std::size_t server) {
    servers_[server].probed_at = Clock::now();
    const auto client = servers_[server].client;
    const auto ask = [&](std::string target) {
        http::ClientRequest request;
        request.method = "GET";
        request.target = std::move(target);
        if (!options_.key.empty()) request.headers.add("Authorization", "Bearer " + options_.key.reveal());
        request.time_max = options_.probe_time;
        return client->send(std::move(request));
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
