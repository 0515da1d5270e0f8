#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "http/message.h"

namespace sheaf::http {

struct ClientLimits {
    std::uint32_t idle_connections_max = 256;  // kept open per client
    std::chrono::seconds idle_time{60};
    std::chrono::milliseconds connect_time{10'000};
    std::uint32_t header_bytes_max = 64 * 1024;
    std::uint64_t body_bytes_max = 64U << 20;  // of a response
};

struct ClientRequest {
    std::string method = "POST";
    std::string target;  // path and query below the origin
    Headers headers;
    std::string body;
    std::chrono::milliseconds time_max{600'000};  // from now to the last byte
    // Not 0: how long nothing of a streamed answer may come.
    std::chrono::milliseconds quiet_max{0};
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;
};

// Speaks to one origin (http or https; certificates are verified), keeping connections open.
//
// Belongs to one executor. Any number of calls may be under way. A kept connection that turns out to be
// closed before a byte of the answer came is replaced once, silently. Errors: unavailable (no connection, cut
// or malformed answer), timed_out, too_large, canceled.
class Client {
public:
    // `origin` as in "http://127.0.0.1:8000"; a path after it is ignored. invalid: not such a URL.
    static Result<std::unique_ptr<Client>> make(async::Executor executor, std::string_view origin,
                                                ClientLimits limits);
    virtual ~Client() = default;

    virtual async::Task<Result<ClientResponse>> send(ClientRequest request) = 0;

    // As send, but a 2xx body is handed over as it arrives (server-sent events); the answer's body is then
    // empty. A sink that returns false ends the call with canceled.
    using Sink = std::function<bool(std::string_view bytes)>;
    virtual async::Task<Result<ClientResponse>> send_streaming(ClientRequest request, Sink sink) = 0;
};

}  // namespace sheaf::http
