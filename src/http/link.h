#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "base/result.h"
#include "http/origin.h"
#include "http/wire.h"

namespace sheaf::http {

// A client's end of a connection, plain or in TLS.
//
// Belongs to one executor. Errors are unavailable, or canceled after abort() or when the coroutine is
// canceled.
class Link {
public:
    // `tls` for https; must outlive the link.
    Link(async::Executor executor, boost::asio::ssl::context* tls);

    async::Task<Result<>> connect(const Origin& origin);
    // Ends whatever is under way; nothing but destroying it may follow.
    void abort();
    // Nothing came and the peer has not closed: fit for the next request.
    bool is_quiet();

    async::Task<Result<>> write(std::span<const std::string_view> parts);
    // What was received and not consumed.
    std::string_view input() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }
    void consume(std::size_t count) { begin_ += count; }
    // Adds to the input; 0 when the server has closed in an orderly way.
    async::Task<Result<std::size_t>> fill();

private:
    using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, async::Executor>;
    using TlsStream = boost::asio::ssl::stream<Socket&>;

    async::Task<Result<>> shake_hands(const std::string& host);
    std::unexpected<Error> fault(std::string_view what, const boost::system::error_code& error) const;

    Resolver resolver_;
    Socket socket_;
    boost::asio::ssl::context* tls_context_;
    std::optional<TlsStream> tls_;
    std::string buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool aborted_ = false;
};

// Verifies certificates by the system's authorities (SSL_CERT_FILE and SSL_CERT_DIR are heeded).
std::unique_ptr<boost::asio::ssl::context> make_tls_context();

}  // namespace sheaf::http
