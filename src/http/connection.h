#pragma once

#include <string>

#include <boost/asio/cancellation_signal.hpp>

#include "http/request_body.h"
#include "http/router.h"
#include "http/server.h"
#include "http/wire.h"

namespace sheaf::http {

// One client's connection: its requests, answered one after the other.
class Connection {
public:
    // References must outlive serve().
    Connection(Socket socket, std::string remote_address, const Router& router, const ServerLimits& limits,
               Deadlines& deadlines);

    // Until the client has gone, or the connection is to be closed.
    async::Task<void> serve();
    // Answers what is under way, then ends; at once when it is waiting for a request.
    void finish();
    // Whether it waits for a request of which nothing has come.
    bool is_idle() const { return idle_; }
    // Cancels the handler under way and ends.
    void cut();

    boost::asio::cancellation_slot cancellation_slot() { return canceled_.slot(); }
    // Whether someone should look if the client is still there, since nobody reads or writes.
    bool is_watched() const { return watched_body_ != nullptr; }
    int descriptor() { return wire_.descriptor(); }
    // Cuts when the client has gone.
    void notice(PeerState state);

private:
    enum class Next { request, close, linger };

    async::Task<Next> serve_one();
    // Until the input holds a head; false: the connection is to be closed, by `next`.
    async::Task<bool> read_head(std::size_t& head_bytes, Next& next);
    async::Task<Response> call(const Handler& handler, Request& request);
    async::Task<Next> answer(Response response, const RequestHead& head, RequestBody& body);
    async::Task<bool> send_body(Response& response, std::string_view head_text, bool chunked);
    async::Task<Next> refuse(Refusal refusal);

    Wire wire_;
    std::string remote_address_;
    const Router& router_;
    const ServerLimits& limits_;
    boost::asio::cancellation_signal canceled_;
    std::string out_;
    const RequestBody* watched_body_ = nullptr;
    bool finishing_ = false;
    bool idle_ = false;
};

}  // namespace sheaf::http
