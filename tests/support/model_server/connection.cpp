#include "connection.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

namespace model_server {
namespace {

constexpr std::size_t kReadBytesMin = 4096;
constexpr std::size_t kFirstBytes = 16 * 1024;

}  // namespace

Connection::~Connection() {
    close(descriptor_);
}

bool Connection::receive() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (buffer_.size() - end_ < kReadBytesMin) {
        if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        if (buffer_.size() - end_ < kReadBytesMin)
            buffer_.resize(buffer_.empty() ? kFirstBytes : buffer_.size() * 2);
    }
    const auto got = recv(descriptor_, buffer_.data() + end_, buffer_.size() - end_, 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    end_ += static_cast<std::size_t>(got);
    return got > 0;
}

bool Connection::flush() {
    while (!is_flushed()) {
        const auto sent = send(descriptor_, output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN || errno == EINTR;
        sent_ += static_cast<std::size_t>(sent);
    }
    output_.clear();
    sent_ = 0;
    return true;
}

void Connection::reset_at_close() const {
    const linger none{.l_onoff = 1, .l_linger = 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

}  // namespace model_server
