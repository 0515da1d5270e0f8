#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

// For tests: a server that does as it is told, also what no good server would.
namespace sheaf::fetch {

// A peer on one accepted connection.
class Peer {
public:
    explicit Peer(int fd) : fd_(fd) {}
    bool send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }

private:
    int fd_;
};

// Answers each path as told, one connection at a time, on a loopback port of its own.
class PathServer {
public:
    using Answer = std::function<void(const Peer&)>;

    PathServer() {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_, 16), 0);
        socklen_t size = sizeof address;
        EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~PathServer() {
        stopping = true;
        thread_.join();
        ::close(listener_);
    }

    void on(const std::string& path, Answer answer) {
        const std::scoped_lock lock(mutex_);
        answers_[path] = std::move(answer);
    }
    void on(const std::string& path, const std::string& response) {
        on(path, [response](const Peer& peer) { peer.send(response); });
    }
    std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
        return "http://" + host + ":" + std::to_string(port_) + path;
    }
    // What came in, whole, oldest first.
    std::vector<std::string> requests() {
        const std::scoped_lock lock(mutex_);
        return requests_;
    }
    std::string last_request() {
        const std::scoped_lock lock(mutex_);
        return requests_.empty() ? std::string() : requests_.back();
    }

    std::atomic<int> accepted = 0;
    std::atomic<bool> stopping = false;

private:
    void serve() {
        while (!stopping) {
            pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
            if (::poll(&waiting, 1, 20) <= 0) continue;
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) continue;
            ++accepted;
            answer(fd);
            ::close(fd);
        }
    }
    void answer(int fd) {
        std::string request;
        std::array<char, 4096> buffer{};
        while (request.size() < bytes_of(request)) {
            const auto count = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (count <= 0) return;
            request.append(buffer.data(), static_cast<std::size_t>(count));
        }
        Answer found;
        {
            const std::scoped_lock lock(mutex_);
            requests_.push_back(request);
            const auto from = request.find(' ') + 1;
            const std::string path = request.substr(from, request.find(' ', from) - from);
            if (const auto at = answers_.find(path); at != answers_.end()) found = at->second;
        }
        if (found) found(Peer(fd));
    }

    // As far as can be told from what is there.
    static std::size_t bytes_of(const std::string& request) {
        const auto head = request.find("\r\n\r\n");
        if (head == std::string::npos) return std::string::npos;
        constexpr std::string_view kLength = "Content-Length: ";
        const auto at = request.find(kLength);
        return head + 4 + (at < head ? std::stoul(request.substr(at + kLength.size())) : 0);
    }

    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    std::map<std::string, Answer> answers_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

inline std::string redirect(const std::string& to) {
    return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 5\r\n\r\nmoved";
}

}  // namespace sheaf::fetch
