#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace sheaf::http {

// For tests: a blocking connection to the loopback that sends exactly the bytes it is told to.
class RawClient {
public:
    explicit RawClient(std::uint16_t port, int receive_buffer = 0)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (receive_buffer > 0)
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
        CHECK(connected == 0, "the loopback accepts");
    }
    ~RawClient() { close(); }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    // False when the server has closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void finish_sending() { ::shutdown(fd_, SHUT_WR); }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    void reset() {
        const linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }

    // Waits for what comes next; empty at the end, after a reset (see was_reset) or after `wait_ms`.
    std::string receive(int wait_ms = 10'000) {
        pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
        ended_ = false;
        if (::poll(&entry, 1, wait_ms) <= 0) return {};
        std::array<char, 64 * 1024> part{};
        const ssize_t count = ::recv(fd_, part.data(), part.size(), 0);
        reset_ = count < 0;
        ended_ = count <= 0;
        return count > 0 ? std::string(part.data(), static_cast<std::size_t>(count)) : std::string();
    }
    // Until the server closes, or sends nothing for `wait_ms`.
    std::string receive_all(int wait_ms = 10'000) {
        std::string all;
        for (std::string part = receive(wait_ms); !part.empty(); part = receive(wait_ms)) all += part;
        return all;
    }
    // One response with a Content-Length, its head included.
    std::string receive_response() {
        std::string all;
        while (true) {
            const std::size_t head_end = all.find("\r\n\r\n");
            if (head_end != std::string::npos) {
                const std::size_t field = all.find("Content-Length: ");
                const std::size_t length =
                    field < head_end ? std::strtoull(all.c_str() + field + 16, nullptr, 10) : 0;
                if (all.size() >= head_end + 4 + length) return all;
            }
            const std::string part = receive();
            if (part.empty()) return all;
            all += part;
        }
    }
    // The server closed or reset the connection, at the last receive.
    bool ended() const { return ended_; }
    bool was_reset() const { return reset_; }

private:
    int fd_;
    bool ended_ = false;
    bool reset_ = false;
};

}  // namespace sheaf::http
