#include "http/server.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <exception>
#include <list>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <fcntl.h>
#include <poll.h>

#include "async/timer.h"
#include "base/check.h"
#include "base/log.h"
#include "http/connection.h"

namespace sheaf::http {
namespace {

using boost::asio::ip::tcp;
using Acceptor = boost::asio::basic_socket_acceptor<tcp, async::Executor>;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};
// Every so many ticks we look whether the clients of running handlers are still there.
constexpr int kTicksBetweenLooks = 4;

Result<boost::asio::ip::address> parse_host(std::string host) {
    if (host == "localhost") host = "127.0.0.1";
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    error_code error;
    auto address = boost::asio::ip::make_address(host, error);
    if (error) return fail(ErrorCode::invalid, fmt::format("\"{}\" is no IP address to listen on.", host));
    return address;
}

// sendfile() has no flag against the signal that ends a process whose client went away.
void ignore_broken_pipes() {
    struct sigaction current{};
    ::sigaction(SIGPIPE, nullptr, &current);
    if (current.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

std::string to_text(const tcp::socket::endpoint_type& endpoint) {
    return endpoint.address().to_string();
}

}  // namespace

// Shared by the server and its coroutines, whichever ends last.
struct Server::State : std::enable_shared_from_this<Server::State> {
    State(async::Executor home, Router routes, ServerLimits bounds)
        : executor(home),
          router(std::move(routes)),
          limits(bounds),
          acceptor(home),
          changed(home),
          room(home),
          deadlines(home, [this] { look_at_clients(); }) {}

    void start_accepting();
    async::Task<void> accept_all();
    void start(Socket socket);
    void make_room();
    void look_at_clients();

    async::Executor executor;
    Router router;
    ServerLimits limits;
    Acceptor acceptor;
    async::Bell changed;  // a connection or the accepting ended
    async::Bell room;     // there are fewer connections
    Deadlines deadlines;
    std::list<std::unique_ptr<Connection>> connections;
    boost::asio::cancellation_signal stop_accepting;
    bool accepting = false;
    bool accepts = true;  // as far as was seen
    bool stopping = false;
    int ticks = 0;
};

void Server::State::start_accepting() {
    accepting = true;
    boost::asio::co_spawn(
        executor, accept_all(),
        boost::asio::bind_cancellation_slot(stop_accepting.slot(),
                                            [self = shared_from_this()](const std::exception_ptr& thrown) {
                                                // No server goes on without accepting, as if it did.
                                                if (thrown && !self->stopping) std::rethrow_exception(thrown);
                                                self->accepting = false;
                                                self->changed.ring();
                                            }));
}

async::Task<void> Server::State::accept_all() {
    while (!stopping) {
        // The kernel's queue holds the rest; a refusal would cost us what we do not have.
        while (connections.size() >= limits.connections_max) {
            make_room();
            co_await room.wait_for(kAcceptPause);
        }
        auto [error, socket] = co_await acceptor.async_accept(boost::asio::as_tuple(async::use_task));
        if (!error) {
            accepts = true;
            start(std::move(socket));
        } else if (error != boost::asio::error::connection_aborted && !stopping) {
            if (std::exchange(accepts, false))
                log::warning("no connection can be accepted", {{"why", std::strerror(error.value())}});
            // Without descriptors accept() fails even while nobody is there, who alone is a reason to close.
            co_await acceptor.async_wait(Acceptor::wait_read, boost::asio::as_tuple(async::use_task));
            make_room();
            // Trying again at once would only burn the processor.
            co_await async::sleep_for(kAcceptPause);
        }
    }
}

void Server::State::start(Socket socket) {
    error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error) return;
    const auto entry = connections.insert(
        connections.end(),
        std::make_unique<Connection>(std::move(socket), to_text(remote), router, limits, deadlines));
    boost::asio::co_spawn(
        executor, (*entry)->serve(),
        boost::asio::bind_cancellation_slot((*entry)->cancellation_slot(),
                                            [self = shared_from_this(), entry](const std::exception_ptr&) {
                                                self->connections.erase(entry);
                                                self->room.ring();
                                                if (self->stopping) self->changed.ring();
                                            }));
}

// Who waits with a request goes before who only keeps a connection open.
void Server::State::make_room() {
    const auto idle =
        std::ranges::find_if(connections, [](const auto& connection) { return connection->is_idle(); });
    if (idle != connections.end()) (*idle)->finish();
}

void Server::State::look_at_clients() {
    if (++ticks % kTicksBetweenLooks != 0) return;
    std::vector<pollfd> looks;
    std::vector<Connection*> looked_at;
    for (const auto& connection : connections) {
        if (!connection->is_watched()) continue;
        looks.push_back({.fd = connection->descriptor(), .events = POLLRDHUP, .revents = 0});
        looked_at.push_back(connection.get());
    }
    if (looks.empty() || ::poll(looks.data(), looks.size(), 0) <= 0) return;
    for (std::size_t i = 0; i < looks.size(); ++i) looked_at[i]->notice(peer_state(looks[i].revents));
}

Server::Server(async::Executor executor, Router router, ServerLimits limits)
    : state_(std::make_shared<State>(executor, std::move(router), limits)) {}

Server::~Server() {
    state_->stopping = true;
    error_code ignored;
    state_->acceptor.close(ignored);
    for (const auto& connection : state_->connections) connection->cut();
}

Result<> Server::listen(const std::string& host, std::uint16_t port) {
    CHECK(!state_->acceptor.is_open(), "a server listens once");
    ignore_broken_pipes();
    const auto address = parse_host(host);
    if (!address) return std::unexpected(address.error());
    const tcp::endpoint endpoint(*address, port);
    error_code error;
    Acceptor& acceptor = state_->acceptor;
    acceptor.open(endpoint.protocol(), error);
    if (!error) ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
    if (!error && address->is_v6())
        acceptor.set_option(boost::asio::ip::v6_only(!address->is_unspecified()), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(Acceptor::max_listen_connections, error);
    if (error) {
        error_code ignored;
        acceptor.close(ignored);
        return fail(ErrorCode::unavailable,
                    fmt::format("Cannot listen on {} port {}: {}.", host, port, error.message()));
    }
    state_->start_accepting();
    return {};
}

std::uint16_t Server::port() const {
    error_code ignored;
    return state_->acceptor.local_endpoint(ignored).port();
}

async::Task<void> Server::stop(std::chrono::milliseconds grace) {
    const auto state = state_;
    state->stopping = true;
    error_code ignored;
    state->acceptor.close(ignored);
    state->stop_accepting.emit(boost::asio::cancellation_type::terminal);
    for (const auto& connection : state->connections) connection->finish();

    const auto end = std::chrono::steady_clock::now() + grace;
    while (!state->connections.empty() || state->accepting) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left <= std::chrono::milliseconds::zero()) break;
        co_await state->changed.wait_for(left);
    }
    for (const auto& connection : state->connections) connection->cut();
    // Handlers use what the caller is about to take down: they must have ended.
    while (!state->connections.empty() || state->accepting) co_await state->changed.wait();
}

}  // namespace sheaf::http
