#include "http/wire.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/check.h"

namespace sheaf::http {
namespace {

constexpr auto kAsTuple = boost::asio::as_tuple(async::use_task);
constexpr std::size_t kBufferBytes = 4 * 1024;
// What one sendfile may take before other connections get their turn.
constexpr std::size_t kFileTurnBytes = 1U << 20;

}  // namespace

Wire::Wire(Socket socket, Deadlines& deadlines, std::chrono::steady_clock::duration write_stall)
    : socket_(std::move(socket)), write_stall_(write_stall), deadline_(deadlines, [this] { interrupt(); }) {
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
    socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
    ::fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
}

void Wire::set_read_deadline(std::chrono::steady_clock::duration from_now) {
    timed_out_ = false;
    deadline_.set(from_now);
}

void Wire::interrupt() {
    timed_out_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void Wire::make_room(std::size_t room_min) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity_ - end_ >= room_min) return;
    const std::size_t held = end_ - begin_;
    if (capacity_ - held >= room_min) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, held);
    } else {
        const std::size_t larger = std::max({kBufferBytes, capacity_ * 2, held + room_min});
        auto moved = std::make_unique_for_overwrite<char[]>(larger);
        if (held > 0) std::memcpy(moved.get(), buffer_.get() + begin_, held);
        buffer_ = std::move(moved);
        capacity_ = larger;
    }
    end_ = held;
    begin_ = 0;
}

void Wire::forget_large_buffer() {
    if (capacity_ <= kBufferBytes || begin_ != end_) return;
    buffer_.reset();
    capacity_ = begin_ = end_ = 0;
}

async::Task<std::size_t> Wire::fill(std::size_t room_min) {
    if (timed_out_) co_return 0;
    make_room(room_min);
    const auto [error, count] = co_await socket_.async_read_some(
        boost::asio::buffer(buffer_.get() + end_, capacity_ - end_), kAsTuple);
    if (error) co_return 0;
    end_ += count;
    co_return count;
}

async::Task<std::size_t> Wire::read_into(std::span<char> into) {
    CHECK(input().empty(), "what is in the buffer comes first");
    if (timed_out_) co_return 0;
    const auto [error, count] =
        co_await socket_.async_read_some(boost::asio::buffer(into.data(), into.size()), kAsTuple);
    co_return error ? 0 : count;
}

std::ptrdiff_t Wire::write_now(std::span<const std::string_view> parts, bool more_follows) {
    std::array<iovec, 4> vectors{};
    CHECK(parts.size() <= vectors.size(), "a write has few parts");
    for (std::size_t i = 0; i < parts.size(); ++i) {
        vectors[i] = {.iov_base = const_cast<char*>(parts[i].data()), .iov_len = parts[i].size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = parts.size();
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more_follows ? MSG_MORE : 0);
    while (true) {
        const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, flags);
        if (sent >= 0) return sent;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
        if (errno != EINTR) return -1;
    }
}

async::Task<bool> Wire::wait_until_writable() {
    set_read_deadline(write_stall_);
    const auto [error] = co_await socket_.async_wait(Socket::wait_write, kAsTuple);
    deadline_.clear();
    co_return !error && !timed_out_;
}

async::Task<bool> Wire::write(std::span<const std::string_view> parts) {
    std::array<std::string_view, 4> left{};
    std::ranges::copy(parts, left.begin());
    std::size_t first = 0;
    while (true) {
        while (first < parts.size() && left[first].empty()) ++first;
        if (first == parts.size()) co_return true;
        std::ptrdiff_t sent = write_now(std::span(left).subspan(first, parts.size() - first), false);
        if (sent < 0) co_return false;
        if (sent == 0 && !co_await wait_until_writable()) co_return false;
        for (std::size_t i = first; i < parts.size() && sent > 0; ++i) {
            const std::size_t taken = std::min(left[i].size(), static_cast<std::size_t>(sent));
            left[i].remove_prefix(taken);
            sent -= static_cast<std::ptrdiff_t>(taken);
        }
    }
}

async::Task<bool> Wire::send_file(int file, std::uint64_t from, std::uint64_t bytes) {
    auto offset = static_cast<off_t>(from);
    const auto end = static_cast<off_t>(from + bytes);
    std::uint64_t turn = 0;
    while (offset < end) {
        const auto left = static_cast<std::uint64_t>(end - offset);
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, kFileTurnBytes));
        const ssize_t sent = ::sendfile(socket_.native_handle(), file, &offset, count);
        if (sent > 0) {
            turn += static_cast<std::uint64_t>(sent);
            if (turn < kFileTurnBytes) continue;
            turn = 0;
            co_await boost::asio::post(co_await async::current_executor(), async::use_task);
        } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!co_await wait_until_writable()) co_return false;
        } else if (sent == 0 || errno != EINTR) {
            co_return false;
        }
    }
    co_return true;
}

async::Task<void> Wire::linger(std::uint64_t bytes_max, std::chrono::steady_clock::duration time_max) {
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    set_read_deadline(time_max);
    std::uint64_t dropped = input().size();
    consume(input().size());
    while (dropped < bytes_max) {
        const std::size_t count = co_await fill();
        if (count == 0) co_return;
        dropped += count;
        consume(count);
    }
}

void Wire::reset() {
    boost::system::error_code ignored;
    socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
}

PeerState peer_state(short poll_events) {
    if ((poll_events & (POLLERR | POLLHUP | POLLNVAL)) != 0) return PeerState::gone;
    return (poll_events & POLLRDHUP) != 0 ? PeerState::half_closed : PeerState::there;
}

PeerState look_at_peer(int descriptor) {
    pollfd entry{.fd = descriptor, .events = POLLRDHUP, .revents = 0};
    return ::poll(&entry, 1, 0) > 0 ? peer_state(entry.revents) : PeerState::there;
}

}  // namespace sheaf::http
