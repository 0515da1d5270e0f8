#include "http/link.h"

#include <algorithm>
#include <array>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

namespace sheaf::http {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAsTuple = boost::asio::as_tuple(async::use_task);
constexpr std::size_t kBufferBytes = 16 * 1024;

}  // namespace

std::unique_ptr<boost::asio::ssl::context> make_tls_context() {
    auto context = std::make_unique<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
    error_code ignored;
    context->set_options(boost::asio::ssl::context::default_workarounds |
                             boost::asio::ssl::context::no_tlsv1 | boost::asio::ssl::context::no_tlsv1_1,
                         ignored);
    context->set_verify_mode(boost::asio::ssl::verify_peer, ignored);
    // Without any authority every certificate is refused, which is what the caller is told.
    context->set_default_verify_paths(ignored);
    return context;
}

Link::Link(async::Executor executor, boost::asio::ssl::context* tls)
    : resolver_(executor), socket_(executor), tls_context_(tls) {}

std::unexpected<Error> Link::fault(std::string_view what, const error_code& error) const {
    if (aborted_ || error == boost::asio::error::operation_aborted)
        return fail(ErrorCode::canceled, "The call was canceled.");
    return fail(ErrorCode::unavailable, fmt::format("{}: {}.", what, error.message()));
}

async::Task<Result<>> Link::connect(const Origin& origin) {
    std::vector<tcp::endpoint> endpoints;
    error_code error;
    if (const auto address = boost::asio::ip::make_address(origin.host, error); !error) {
        endpoints.emplace_back(address, static_cast<std::uint16_t>(std::stoi(origin.port)));
    } else {
        const auto [failed, found] = co_await resolver_.async_resolve(origin.host, origin.port, kAsTuple);
        if (failed) co_return fault(fmt::format("The name {} cannot be resolved", origin.host), failed);
        for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    }
    error = boost::asio::error::host_not_found;
    for (const tcp::endpoint& endpoint : endpoints) {
        if (aborted_) break;
        error_code ignored;
        socket_.close(ignored);
        socket_.open(endpoint.protocol(), error);
        if (error) continue;
        ::fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
        socket_.set_option(tcp::no_delay(true), ignored);
        std::tie(error) = co_await socket_.async_connect(endpoint, kAsTuple);
        if (!error) break;
    }
    if (error) co_return fault(fmt::format("No connection to {}:{}", origin.host, origin.port), error);
    if (tls_context_ == nullptr) co_return Result<>{};
    co_return co_await shake_hands(origin.host);
}

async::Task<Result<>> Link::shake_hands(const std::string& host) {
    tls_.emplace(socket_, *tls_context_);
    error_code error;
    tls_->set_verify_callback(boost::asio::ssl::host_name_verification(host), error);
    error_code no_address;
    boost::asio::ip::make_address(host, no_address);
    // Server names are names: an address is not sent.
    if (no_address && SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str()) != 1) {
        co_return fail(ErrorCode::unavailable, fmt::format("The name {} cannot be asked for in TLS.", host));
    }
    const auto [failed] = co_await tls_->async_handshake(boost::asio::ssl::stream_base::client, kAsTuple);
    if (failed) {
        const long verdict = SSL_get_verify_result(tls_->native_handle());
        if (verdict != X509_V_OK && !aborted_) {
            co_return fail(ErrorCode::unavailable, fmt::format("The certificate of {} is not trusted: {}.",
                                                               host, X509_verify_cert_error_string(verdict)));
        }
        co_return fault(fmt::format("No secure connection to {}", host), failed);
    }
    co_return Result<>{};
}

void Link::abort() {
    aborted_ = true;
    resolver_.cancel();
    error_code ignored;
    socket_.close(ignored);
}

bool Link::is_quiet() {
    if (!socket_.is_open() || begin_ != end_) return false;
    pollfd entry{.fd = socket_.native_handle(), .events = POLLIN | POLLRDHUP, .revents = 0};
    return ::poll(&entry, 1, 0) == 0;
}

async::Task<Result<>> Link::write(std::span<const std::string_view> parts) {
    std::vector<boost::asio::const_buffer> buffers;
    for (const std::string_view part : parts) buffers.emplace_back(part.data(), part.size());
    const auto [error, count] = tls_ ? co_await boost::asio::async_write(*tls_, buffers, kAsTuple)
                                     : co_await boost::asio::async_write(socket_, buffers, kAsTuple);
    if (error) co_return fault("The connection was cut while sending", error);
    co_return Result<>{};
}

async::Task<Result<std::size_t>> Link::fill() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ == buffer_.size()) {
        if (begin_ > 0) {
            buffer_.erase(0, begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        buffer_.resize(std::max(kBufferBytes, end_ * 2));
    }
    const auto room = boost::asio::buffer(buffer_.data() + end_, buffer_.size() - end_);
    const auto [error, count] = tls_ ? co_await tls_->async_read_some(room, kAsTuple)
                                     : co_await socket_.async_read_some(room, kAsTuple);
    if (error == boost::asio::error::eof && !aborted_) co_return 0;
    if (error) co_return fault("The connection was cut", error);
    end_ += count;
    co_return count;
}

}  // namespace sheaf::http
