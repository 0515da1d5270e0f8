#include "server.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <system_error>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace model_server {
namespace {

constexpr int kBacklog = 4096;
constexpr int kEventsMax = 256;

Micros monotonic_now() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

int checked(int result, const char* what) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), what);
    return result;
}

void watch(int epoll, int operation, int descriptor, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = descriptor}};
    checked(epoll_ctl(epoll, operation, descriptor, &event), "epoll_ctl");
}

}  // namespace

Server::Server(Options options)
    : options_(std::move(options)), engine_(options_.engine), since_(monotonic_now()) {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigprocmask(SIG_BLOCK, &stops, nullptr);
    signals_ = checked(signalfd(-1, &stops, SFD_CLOEXEC), "signalfd");
    epoll_ = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    listen();
    watch(epoll_, EPOLL_CTL_ADD, signals_, EPOLLIN);
    watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN);
}

Server::~Server() {
    connections_.clear();
    for (const int descriptor : {listener_, epoll_, signals_}) close(descriptor);
}

void Server::listen() {
    listener_ = checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // what is accepted inherits it
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(options_.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);  // NOLINT(*-reinterpret-cast): of the API
    checked(bind(listener_, generic, length), "bind");
    checked(::listen(listener_, kBacklog), "listen");
    checked(getsockname(listener_, generic, &length), "getsockname");
    const auto part = options_.port_file.string() + ".part";
    std::ofstream(part) << ntohs(address.sin_port) << '\n';
    std::filesystem::rename(part, options_.port_file);
}

void Server::run() {
    std::vector<epoll_event> events(kEventsMax);
    while (true) {
        timespec wait{};
        const auto due = engine_.next_end();
        if (due) {
            const auto left = std::max<Micros>(0, *due - monotonic_now());
            wait = {.tv_sec = left / 1'000'000, .tv_nsec = left % 1'000'000 * 1000};
        }
        const int count = epoll_pwait2(epoll_, events.data(), kEventsMax, due ? &wait : nullptr, nullptr);
        for (const auto& served : engine_.advance(monotonic_now())) on_served(served);
        for (int i = 0; i < count; ++i) {
            const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
            if (descriptor == signals_) {
                if (!options_.ledger_file.empty())
                    std::ofstream(options_.ledger_file) << ledger_text(ledger_);
                return;
            }
            if (descriptor == listener_)
                accept_all();
            else
                on_ready(descriptor, events[static_cast<std::size_t>(i)].events);
        }
    }
}

void Server::accept_all() {
    while (true) {
        const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) return;
        const auto at = static_cast<std::size_t>(descriptor);
        if (connections_.size() <= at) connections_.resize(at + 1);
        connections_[at] = std::make_unique<Connection>(descriptor);
        ++counters_.connections;
        watch(epoll_, EPOLL_CTL_ADD, descriptor, EPOLLIN);
    }
}

void Server::on_ready(int descriptor, std::uint32_t events) {
    // One that another event of the same round has closed is no longer there.
    auto* const connection = connections_[static_cast<std::size_t>(descriptor)].get();
    if (connection == nullptr) return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !connection->receive()) return drop(*connection);
    answer_all(*connection);
}

void Server::answer_all(Connection& connection) {
    while (!connection.asked && !connection.closes) {
        HttpRequest request;
        const auto state = parse_request(connection.input(), request);
        if (state == ParseState::partial) break;
        if (state == ParseState::wants_continue) {
            connection.output() += "HTTP/1.1 100 Continue\r\n\r\n";
            break;
        }
        if (state != ParseState::whole) {
            add_error(state == ParseState::too_large ? 413 : 400, 0, connection.output());
            connection.closes = true;
            break;
        }
        connection.closes = request.closes;
        route(connection, request);
        connection.consume(request.bytes);
    }
    finish(connection);
}

void Server::finish(Connection& connection) {
    if (!connection.flush() || (connection.closes && !connection.asked && connection.is_flushed()))
        return drop(connection);
    if (connection.watches_output == connection.is_flushed()) {
        connection.watches_output = !connection.is_flushed();
        watch(epoll_, EPOLL_CTL_MOD, connection.descriptor(),
              connection.watches_output ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

void Server::drop(Connection& connection) {
    if (connection.asked) {
        const auto now = monotonic_now();
        engine_.cancel(*connection.asked, now);
        asked_.erase(*connection.asked);
        ++counters_.gone;
        note_end(*connection.asked, -2, now);
    }
    connections_[static_cast<std::size_t>(connection.descriptor())].reset();
}

}  // namespace model_server
