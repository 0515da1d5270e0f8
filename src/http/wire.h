#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "async/task.h"
#include "http/deadlines.h"

namespace sheaf::http {

using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, async::Executor>;

// A server's end of a connection: bytes in through a buffer, bytes out without copies, and one deadline.
//
// Belongs to one executor. A call that fails leaves the connection good for closing only, except that after a
// read that timed out one may still write.
class Wire {
public:
    Wire(Socket socket, Deadlines& deadlines, std::chrono::steady_clock::duration write_stall);

    // What was received and not consumed.
    std::string_view input() const { return {buffer_.get() + begin_, end_ - begin_}; }
    void consume(std::size_t count) { begin_ += count; }

    // For the reads to come, until the next call; writes have a limit of their own.
    void set_read_deadline(std::chrono::steady_clock::duration from_now);
    void clear_read_deadline() { deadline_.clear(); }
    // Ends the read under way, or the next one, as if its time had passed.
    void interrupt();
    bool timed_out() const { return timed_out_; }

    // Adds to the input: how many bytes came; 0 when the peer is done, gone, or the deadline passed.
    async::Task<std::size_t> fill(std::size_t room_min = 1);
    // Gives the buffer back while nothing is in it and none is expected soon.
    void forget_large_buffer();
    // Reads past the buffer, which must be empty. As fill.
    async::Task<std::size_t> read_into(std::span<char> into);

    // Sends all parts, at most four. False: the peer went away, or took nothing for too long.
    async::Task<bool> write(std::span<const std::string_view> parts);
    // Sends what it can at once, without waiting: how many bytes, or -1 when the peer went away.
    std::ptrdiff_t write_now(std::span<const std::string_view> parts, bool more_follows);
    // Sends `bytes` bytes of the file from its start. False also when the file is shorter.
    async::Task<bool> send_file(int file, std::uint64_t from, std::uint64_t bytes);

    // Tells the peer that nothing more comes, then takes and drops what it still sends, so that our last
    // answer is not lost to a reset.
    async::Task<void> linger(std::uint64_t bytes_max, std::chrono::steady_clock::duration time_max);
    // Closes so that the peer sees an error.
    void reset();

    int descriptor() { return socket_.native_handle(); }

private:
    void make_room(std::size_t room_min);
    async::Task<bool> wait_until_writable();

    Socket socket_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::chrono::steady_clock::duration write_stall_;
    bool timed_out_ = false;
    Deadlines::Entry deadline_;
};

// What poll() says of a peer that may have gone: it ended its side, or reset the connection.
enum class PeerState { there, half_closed, gone };
PeerState peer_state(short poll_events);
PeerState look_at_peer(int descriptor);

}  // namespace sheaf::http
