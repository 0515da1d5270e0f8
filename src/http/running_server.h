#pragma once

#include <future>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>

#include "base/check.h"
#include "http/server.h"

namespace sheaf::http {

// For tests: a server on a free port of the loopback, on a thread of its own. Handlers run on that thread.
class RunningServer {
public:
    explicit RunningServer(Router router, ServerLimits limits = {})
        : server_(std::make_unique<Server>(io_.get_executor(), std::move(router), limits)) {
        const auto listening = server_->listen("127.0.0.1", 0);
        CHECK(listening.has_value(), "the loopback has a free port");
        port_ = server_->port();
        thread_ = std::thread([this] { io_.run(); });
    }
    ~RunningServer() {
        stop(std::chrono::milliseconds{0});
        thread_.join();
    }
    RunningServer(const RunningServer&) = delete;
    RunningServer& operator=(const RunningServer&) = delete;

    // Returns when the server has stopped. Once.
    void stop(std::chrono::milliseconds grace) {
        if (server_ == nullptr) return;
        std::promise<void> stopped;
        boost::asio::co_spawn(io_, server_->stop(grace),
                              [&stopped](const std::exception_ptr&) { stopped.set_value(); });
        stopped.get_future().wait();
        server_.reset();
    }

    std::uint16_t port() const { return port_; }
    std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }
    boost::asio::io_context& io() { return io_; }

private:
    boost::asio::io_context io_{1};
    std::unique_ptr<Server> server_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace sheaf::http
