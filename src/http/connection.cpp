#include "http/connection.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "http/response_head.h"
#include "http/syntax.h"

namespace sheaf::http {
namespace {

constexpr std::chrono::seconds kLingerTime{5};
constexpr int kRetryAfterSeconds = 5;
// Below this, head and body are one buffer; above, copying costs more than a second part.
constexpr std::size_t kOneBufferBytes = 64 * 1024;

std::string error_json(std::string_view code, std::string_view message) {
    return fmt::format(R"({{"code":"{0}","message":"{1}","error":{{"code":"{0}","message":"{1}"}}}})", code,
                       message);
}

Response error_response(int status, std::string_view code, std::string_view message) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.body = error_json(code, message);
    return response;
}

class StreamWriter final : public BodyWriter {
public:
    StreamWriter(Wire& wire, bool chunked) : wire_(wire), chunked_(chunked) {}

    async::Task<Result<>> write(std::string_view bytes) override {
        if (bytes.empty()) co_return Result<>{};
        std::array<std::string_view, 3> parts{bytes};
        std::array<char, 20> size{};
        if (chunked_) {
            const auto end = fmt::format_to_n(size.data(), size.size(), "{:x}\r\n", bytes.size()).out;
            parts = {std::string_view(size.data(), end), bytes, "\r\n"};
        }
        if (!co_await wire_.write(parts)) co_return fail(ErrorCode::canceled, "The client went away.");
        co_return Result<>{};
    }

    bool client_gone() override { return look_at_peer(wire_.descriptor()) != PeerState::there; }

private:
    Wire& wire_;
    bool chunked_;
};

Request to_request(RequestHead& head, BodyReader& body, const std::string& remote_address) {
    Request request;
    request.method = head.method;
    request.target = std::move(head.target);
    const std::string_view target = request.target;
    const std::size_t mark = target.find('?');
    request.path = percent_decode(target.substr(0, mark), false);
    if (mark != std::string_view::npos) request.query = parse_query(target.substr(mark + 1));
    request.headers = std::move(head.headers);
    request.remote_address = remote_address;
    request.body = &body;
    return request;
}

bool asks_to_close(const Headers& headers) {
    const auto connection = headers.find("connection");
    return connection && list_contains(*connection, "close");
}

}  // namespace

Connection::Connection(Socket socket, std::string remote_address, const Router& router,
                       const ServerLimits& limits, Deadlines& deadlines)
    : wire_(std::move(socket), deadlines, limits.write_stall),
      remote_address_(std::move(remote_address)),
      router_(router),
      limits_(limits) {}

void Connection::finish() {
    finishing_ = true;
    if (idle_) wire_.interrupt();
}

void Connection::cut() {
    finishing_ = true;
    wire_.interrupt();
    canceled_.emit(boost::asio::cancellation_type::terminal);
}

void Connection::notice(PeerState state) {
    if (watched_body_ == nullptr || state == PeerState::there) return;
    // A client may be done with sending while we still read what it sent; the reader will see.
    if (state == PeerState::half_closed && !watched_body_->ended()) return;
    cut();
}

async::Task<void> Connection::serve() {
    Next next = Next::request;
    while (next == Next::request) next = co_await serve_one();
    if (next == Next::linger) co_await wire_.linger(limits_.discard_bytes_max, kLingerTime);
}

async::Task<bool> Connection::read_head(std::size_t& head_bytes, Next& next) {
    HeadScan scan;
    bool begun = !wire_.input().empty();
    wire_.set_read_deadline(begun ? limits_.header_time : limits_.idle_time);
    next = Next::close;
    while (true) {
        while (wire_.input().starts_with("\r\n")) {
            wire_.consume(2);
            scan = HeadScan{};
        }
        const std::string_view input = wire_.input();
        const bool plausible = input.empty() || input[0] == '\r' || is_token(input.substr(0, 1));
        const auto state = plausible ? scan.scan(input) : HeadScan::State::bad_line_end;
        if (state == HeadScan::State::bad_line_end) {
            next = co_await refuse(
                {400, "bad_request", "This is not an HTTP/1 request whose lines end in CRLF."});
            co_return false;
        }
        if (state == HeadScan::State::complete && scan.head_bytes() <= limits_.header_bytes_max) {
            head_bytes = scan.head_bytes();
            co_return true;
        }
        if (!scan.first_line_seen() &&
            input.size() > std::min<std::size_t>(kTargetBytesMax + 64, limits_.header_bytes_max)) {
            next = co_await refuse({414, "uri_too_long", "The request's target is too long."});
            co_return false;
        }
        if (state == HeadScan::State::complete || input.size() > limits_.header_bytes_max) {
            next =
                co_await refuse({431, "request_header_fields_too_large", "The request's head is too large."});
            co_return false;
        }
        idle_ = input.empty();
        if (idle_) wire_.forget_large_buffer();
        if (idle_ && finishing_) co_return false;
        const std::size_t count = co_await wire_.fill();
        idle_ = false;
        if (count == 0) {
            if (wire_.timed_out() && begun && !finishing_) {
                next = co_await refuse({408, "request_timeout", "The request's head took too long."});
            }
            co_return false;
        }
        if (!std::exchange(begun, true)) wire_.set_read_deadline(limits_.header_time);
    }
}

async::Task<Connection::Next> Connection::serve_one() {
    std::size_t head_bytes = 0;
    Next next = Next::close;
    if (!co_await read_head(head_bytes, next)) co_return next;
    auto head = parse_request_head(wire_.input().substr(0, head_bytes));
    wire_.consume(head_bytes);
    if (!head) co_return co_await refuse(head.error());

    wire_.clear_read_deadline();
    RequestBody body(wire_, *head, limits_);
    Request request = to_request(*head, body, remote_address_);
    const Handler& handler = router_.match(request);
    // Cleared on every way out, cancellation too.
    struct Watch {
        const RequestBody*& watched;
        ~Watch() { watched = nullptr; }
    } watch{watched_body_};
    watched_body_ = &body;
    Response response = co_await call(handler, request);
    co_return co_await answer(std::move(response), *head, body);
}

async::Task<Response> Connection::call(const Handler& handler, Request& request) {
    std::string what;
    bool is_for_want_of_memory = false;
    try {
        co_return co_await handler(request);
    } catch (const std::bad_alloc&) {
        // What the handler held is free again: others can be served.
        is_for_want_of_memory = true;
    } catch (const std::exception& thrown) {
        what = thrown.what();
    } catch (...) {
        what = "something that is no exception";
    }
    const auto canceled = (co_await boost::asio::this_coro::cancellation_state).cancelled();
    if (canceled != boost::asio::cancellation_type::none) {
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    }
    if (is_for_want_of_memory) {
        log::error("no memory for a request", {{"method", request.method}, {"path", request.path}});
        auto response = error_response(503, "service_unavailable", "The server has no memory for this now.");
        response.headers.add("Retry-After", std::to_string(kRetryAfterSeconds));
        co_return response;
    }
    log::error("a request handler threw",
               {{"method", request.method}, {"path", request.path}, {"what", what}});
    co_return error_response(500, "internal_server_error", "The server failed to handle this request.");
}

async::Task<Connection::Next> Connection::answer(Response response, const RequestHead& head,
                                                 RequestBody& body) {
    co_await body.discard(limits_.discard_bytes_max);
    bool keep_alive = head.keep_alive && body.ended() && !finishing_ && !asks_to_close(response.headers);

    ResponseHeadOptions options;
    const bool allowed = status_allows_body(response.status);
    const bool streamed = std::holds_alternative<StreamBody>(response.body);
    if (streamed && allowed) {
        options.chunked = head.minor_version > 0;
        keep_alive = keep_alive && (options.chunked || head.method == "HEAD");
    } else if (const auto* named = std::get_if<FileBody>(&response.body); named != nullptr && allowed) {
        options.content_length = named->bytes;
    } else if (const auto* text = std::get_if<std::string>(&response.body); text != nullptr && allowed) {
        options.content_length = text->size();
    }
    options.keep_alive = keep_alive;
    options.say_keep_alive = head.minor_version == 0;
    out_.clear();
    append_response_head(out_, response.status, response.headers, options);

    if (!streamed) watched_body_ = nullptr;
    if (!allowed || head.method == "HEAD") response.body = std::string();
    const bool sent = co_await send_body(response, out_, options.chunked);
    if (out_.capacity() > 2 * kOneBufferBytes) out_ = std::string();
    if (!sent) co_return Next::close;
    if (keep_alive) co_return Next::request;
    co_return body.ended() ? Next::close : Next::linger;
}

async::Task<bool> Connection::send_body(Response& response, std::string_view head_text, bool chunked) {
    if (const auto* text = std::get_if<std::string>(&response.body)) {
        std::array<std::string_view, 2> parts{head_text, *text};
        if (text->size() <= kOneBufferBytes) {
            out_ += *text;
            parts = {out_, {}};
        }
        const std::ptrdiff_t sent = wire_.write_now(parts, false);
        if (sent < 0) co_return false;
        auto left = static_cast<std::size_t>(sent);
        for (std::string_view& part : parts) {
            const std::size_t taken = std::min(part.size(), left);
            part.remove_prefix(taken);
            left -= taken;
        }
        if (parts[0].empty() && parts[1].empty()) co_return true;
        co_return co_await wire_.write(parts);
    }
    if (const auto* file = std::get_if<FileBody>(&response.body)) {
        const std::array parts{head_text};
        co_return co_await wire_.write(parts) &&
            co_await wire_.send_file(file->file->fd(), file->offset, file->bytes);
    }
    const std::array head_part{head_text};
    if (!co_await wire_.write(head_part)) co_return false;
    StreamWriter writer(wire_, chunked);
    const StreamBody& stream = std::get<StreamBody>(response.body);
    if (const auto streamed = co_await stream(writer); !streamed) {
        if (!chunked) wire_.reset();
        co_return false;
    }
    const std::array last_chunk{std::string_view("0\r\n\r\n")};
    co_return !chunked || co_await wire_.write(last_chunk);
}

async::Task<Connection::Next> Connection::refuse(Refusal refusal) {
    Headers headers;
    headers.add("Content-Type", "application/json");
    const std::string body = error_json(refusal.code, refusal.message);
    out_.clear();
    append_response_head(out_, refusal.status, headers, {.keep_alive = false, .content_length = body.size()});
    out_ += body;
    const std::array parts{std::string_view(out_)};
    co_return co_await wire_.write(parts) ? Next::linger : Next::close;
}

}  // namespace sheaf::http
