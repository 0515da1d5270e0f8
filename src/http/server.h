#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "http/router.h"

namespace sheaf::http {

// Every limit of the server, in one place. docs/operations.md says what each is for.
struct ServerLimits {
    std::uint32_t connections_max = 10'000;  // beyond, idle ones are closed, and new ones wait
    std::uint32_t header_bytes_max = 64 * 1024;
    std::chrono::seconds header_time{10};  // from the first byte to the end of the head
    std::chrono::seconds idle_time{75};    // between requests
    std::chrono::seconds body_grace{10};   // then at least body_bytes_per_second
    std::uint32_t body_bytes_per_second = 1024;
    std::chrono::seconds write_stall{120};  // a client that takes nothing for so long is dropped
    std::uint64_t discard_bytes_max = 16U
                                      << 20;  // of an unread body, before the answer is sent and all closed
};

// An HTTP/1.1 server: keep-alive, pipelining in order, chunked bodies both ways, Expect: 100-continue.
//
// A malformed or ambiguous message gets one 400 (or 413, 414, 431, 501, 505) and the connection is closed.
// A handler that throws is answered with 500; the server goes on. Belongs to one executor.
class Server {
public:
    Server(async::Executor executor, Router router, ServerLimits limits);
    ~Server();

    // Binds and starts to accept. `port` 0 takes a free one. SIGPIPE is ignored from now on, in the whole
    // process. unavailable: the address is taken or not ours.
    Result<> listen(const std::string& host, std::uint16_t port);
    std::uint16_t port() const;
    // Accepts no more; requests under way are answered, with Connection: close; idle connections are closed.
    // Returns when all are gone or `grace` is over, and then cuts the rest.
    async::Task<void> stop(std::chrono::milliseconds grace);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace sheaf::http
