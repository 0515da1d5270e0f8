#pragma once

#include "http/chunked.h"
#include "http/message.h"
#include "http/request_head.h"
#include "http/server.h"
#include "http/wire.h"

namespace sheaf::http {

// A request's body, read from its connection as the handler asks for it.
class RequestBody final : public BodyReader {
public:
    RequestBody(Wire& wire, const RequestHead& head, const ServerLimits& limits);

    async::Task<Result<std::size_t>> read(std::span<char> into) override;
    void set_limit(std::uint64_t bytes_max) override { limit_ = bytes_max; }
    std::optional<std::uint64_t> announced_bytes() const override;

    // All of it has been read: the next request follows on the connection.
    bool ended() const { return ended_; }
    // Reads and drops the rest, within limits; see ended() for how it went.
    async::Task<void> discard(std::uint64_t bytes_max);

private:
    async::Task<Result<std::size_t>> read_counted(std::span<char> into);
    async::Task<Result<std::size_t>> read_chunked(std::span<char> into);
    // Reads from the peer by `reading`, on the sender's time.
    async::Task<Result<std::size_t>> receive(std::span<char> into, bool into_buffer);
    std::unexpected<Error> give_up(ErrorCode code, std::string message);

    Wire& wire_;
    const ServerLimits& limits_;
    Framing framing_;
    ChunkDecoder chunks_;
    bool continue_owed_;
    bool ended_;
    std::optional<Error> failure_;
    std::uint64_t limit_ = 1U << 20;
    std::uint64_t received_ = 0;                    // bytes of the body, decoded
    std::uint64_t on_the_wire_ = 0;                 // with the framing
    std::chrono::steady_clock::duration waited_{};  // for the sender, so far
};

}  // namespace sheaf::http
