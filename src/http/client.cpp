#include "http/client.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "http/chunked.h"
#include "http/deadlines.h"
#include "http/link.h"
#include "http/response_head.h"
#include "http/syntax.h"

namespace sheaf::http {
namespace {

using Clock = std::chrono::steady_clock;

// Interim answers (1xx) before the one that counts.
constexpr int kInterimMax = 8;

std::unexpected<Error> cut_off() {
    return fail(ErrorCode::unavailable, "The server closed the connection before the end of its answer.");
}

Result<> check(const ClientRequest& request) {
    const auto printable = [](std::string_view text) {
        return std::ranges::all_of(text,
                                   [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; });
    };
    if (!is_token(request.method)) return fail(ErrorCode::invalid, "The request's method is not a token.");
    if (!request.target.starts_with('/') || !printable(request.target)) {
        return fail(ErrorCode::invalid, "The request's target is malformed.");
    }
    for (const auto& [name, value] : request.headers.fields()) {
        const bool clean = std::ranges::none_of(
            value, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; });
        if (!is_token(name) || !clean)
            return fail(ErrorCode::invalid, fmt::format("The header {} is malformed.", name));
    }
    return {};
}

std::string render_head(const ClientRequest& request, const Origin& origin) {
    std::string head =
        fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target, origin.authority);
    for (const auto& [name, value] : request.headers.fields()) {
        if (equals_ignoring_case(name, "host") || equals_ignoring_case(name, "content-length")) continue;
        fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
    }
    const bool bodiless = request.method == "GET" || request.method == "HEAD" || request.method == "DELETE";
    if (!request.body.empty() || !bodiless) {
        fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", request.body.size());
    }
    head += "\r\n";
    return head;
}

// Takes what a body consists of, as it comes, within the limit.
class Intake {
public:
    Intake(std::uint64_t bytes_max, const Client::Sink* sink, std::string& body)
        : left_(bytes_max), sink_(sink), body_(body) {}

    Result<> take(std::string_view bytes) {
        if (bytes.size() > left_) return fail(ErrorCode::too_large, "The server's answer is too large.");
        left_ -= bytes.size();
        if (bytes.empty()) return {};
        if (sink_ == nullptr)
            body_ += bytes;
        else if (!(*sink_)(bytes))
            return fail(ErrorCode::canceled, "The call was ended by its caller.");
        return {};
    }
    std::uint64_t left() const { return left_; }

private:
    std::uint64_t left_;
    const Client::Sink* sink_;
    std::string& body_;
};

// One request and its answer on one connection.
class Exchange {
public:
    Exchange(Link& link, const ClientRequest& request, const ClientLimits& limits, const Client::Sink* sink)
        : link_(link), request_(request), limits_(limits), sink_(sink) {}

    async::Task<Result<ClientResponse>> run(const Origin& origin);
    // Whether a byte of an answer came: from then on the request must not be repeated.
    bool answer_begun() const { return answer_begun_; }
    bool may_be_kept() const { return may_be_kept_; }

private:
    async::Task<Result<ResponseHead>> read_head();
    async::Task<Result<>> read_body(const Framing& framing, Intake& intake);
    async::Task<Result<>> read_chunks(Intake& intake);
    async::Task<Result<>> need_more();

    Link& link_;
    const ClientRequest& request_;
    const ClientLimits& limits_;
    const Client::Sink* sink_;
    bool answer_begun_ = false;
    bool may_be_kept_ = false;
};

async::Task<Result<ClientResponse>> Exchange::run(const Origin& origin) {
    const std::string head_text = render_head(request_, origin);
    const std::array<std::string_view, 2> parts{head_text, request_.body};
    const auto written = co_await link_.write(parts);
    if (!written && written.error().code == ErrorCode::canceled) co_return std::unexpected(written.error());
    // A server may refuse and close before it has read everything: its answer says more than our failed
    // write.
    auto head = co_await read_head();
    if (!head) co_return std::unexpected(!written ? written.error() : head.error());

    ClientResponse response;
    response.status = head->status;
    response.headers = std::move(head->headers);
    const bool streamed = sink_ != nullptr && head->status >= 200 && head->status < 300;
    Intake intake(limits_.body_bytes_max, streamed ? sink_ : nullptr, response.body);
    if (auto body = co_await read_body(head->framing, intake); !body) co_return std::unexpected(body.error());
    may_be_kept_ = head->keep_alive && written && link_.input().empty();
    co_return response;
}

async::Task<Result<>> Exchange::need_more() {
    const auto count = co_await link_.fill();
    if (!count) co_return std::unexpected(count.error());
    if (*count == 0) co_return cut_off();
    co_return Result<>{};
}

async::Task<Result<ResponseHead>> Exchange::read_head() {
    for (int interim = 0; interim <= kInterimMax; ++interim) {
        HeadScan scan;
        auto state = scan.scan(link_.input());
        while (state == HeadScan::State::incomplete && link_.input().size() <= limits_.header_bytes_max) {
            if (auto more = co_await need_more(); !more) co_return std::unexpected(more.error());
            answer_begun_ = true;
            state = scan.scan(link_.input());
        }
        if (state == HeadScan::State::bad_line_end) {
            co_return fail(ErrorCode::unavailable, "The server's answer is not HTTP/1.");
        }
        if (state == HeadScan::State::incomplete || scan.head_bytes() > limits_.header_bytes_max) {
            co_return fail(ErrorCode::unavailable, "The head of the server's answer is too large.");
        }
        auto head = parse_response_head(link_.input().substr(0, scan.head_bytes()), request_.method);
        link_.consume(scan.head_bytes());
        if (!head || head->status >= 200) co_return head;
    }
    co_return fail(ErrorCode::unavailable, "The server sends interim answers without end.");
}

async::Task<Result<>> Exchange::read_body(const Framing& framing, Intake& intake) {
    if (framing.kind == Framing::Kind::none) co_return Result<>{};
    if (framing.kind == Framing::Kind::chunked) co_return co_await read_chunks(intake);
    const bool counted = framing.kind == Framing::Kind::length;
    std::uint64_t left = counted ? framing.bytes : ~std::uint64_t{0};
    if (counted && left > intake.left())
        co_return fail(ErrorCode::too_large, "The server's answer is too large.");
    while (left > 0) {
        if (link_.input().empty()) {
            const auto count = co_await link_.fill();
            if (!count) co_return std::unexpected(count.error());
            if (*count == 0 && counted) co_return cut_off();
            if (*count == 0) co_return Result<>{};
        }
        const std::string_view part =
            link_.input().substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, 1U << 20)));
        if (auto taken = intake.take(part); !taken) co_return taken;
        left -= part.size();
        link_.consume(part.size());
    }
    co_return Result<>{};
}

async::Task<Result<>> Exchange::read_chunks(Intake& intake) {
    ChunkDecoder chunks;
    std::array<char, 16 * 1024> part;
    while (true) {
        const auto step = chunks.decode(link_.input(), part);
        link_.consume(step.consumed);
        if (auto taken = intake.take({part.data(), step.produced}); !taken) co_return taken;
        if (chunks.ended()) co_return Result<>{};
        if (chunks.broken())
            co_return fail(ErrorCode::unavailable, "The server's chunked answer is malformed.");
        if (!link_.input().empty()) continue;
        if (auto more = co_await need_more(); !more) co_return more;
    }
}

class PooledClient final : public Client {
public:
    PooledClient(async::Executor executor, Origin origin, ClientLimits limits)
        : executor_(executor),
          origin_(std::move(origin)),
          limits_(limits),
          deadlines_(executor, nullptr),
          tls_(origin_.tls ? make_tls_context() : nullptr) {}

    async::Task<Result<ClientResponse>> send(ClientRequest request) override {
        co_return co_await exchange(std::move(request), nullptr);
    }
    async::Task<Result<ClientResponse>> send_streaming(ClientRequest request, Sink sink) override {
        co_return co_await exchange(std::move(request), &sink);
    }

private:
    // A kept connection closes itself when its time is over; it is swept when the next call looks for one.
    struct Idle {
        Idle(Deadlines& deadlines, std::unique_ptr<Link> kept, std::chrono::seconds time)
            : link(std::move(kept)), deadline(deadlines, [this] { link->abort(); }) {
            deadline.set(time);
        }
        std::unique_ptr<Link> link;
        Deadlines::Entry deadline;
    };

    async::Task<Result<ClientResponse>> exchange(ClientRequest request, const Sink* sink);
    std::unique_ptr<Link> take_idle();
    void keep(std::unique_ptr<Link> link);

    async::Executor executor_;
    Origin origin_;
    ClientLimits limits_;
    Deadlines deadlines_;
    std::unique_ptr<boost::asio::ssl::context> tls_;
    std::vector<std::unique_ptr<Idle>> idle_;
};

std::unique_ptr<Link> PooledClient::take_idle() {
    // The one used last is the least likely to have been closed.
    while (!idle_.empty()) {
        std::unique_ptr<Link> link = std::move(idle_.back()->link);
        idle_.pop_back();
        if (link->is_quiet()) return link;
    }
    return nullptr;
}

void PooledClient::keep(std::unique_ptr<Link> link) {
    if (idle_.size() >= limits_.idle_connections_max) {
        std::erase_if(idle_, [](const auto& idle) { return !idle->link->is_quiet(); });
    }
    if (idle_.size() < limits_.idle_connections_max) {
        idle_.push_back(std::make_unique<Idle>(deadlines_, std::move(link), limits_.idle_time));
    }
}

async::Task<Result<ClientResponse>> PooledClient::exchange(ClientRequest request, const Sink* sink) {
    if (auto checked = check(request); !checked) co_return std::unexpected(checked.error());
    const Clock::time_point end = Clock::now() + request.time_max;
    std::unique_ptr<Link> link = take_idle();
    bool late = false;
    bool is_connecting = false;
    Deadlines::Entry deadline(deadlines_, [&late, &link] {
        late = true;
        if (link != nullptr) link->abort();
    });
    const auto explain = [&](Error error) -> std::unexpected<Error> {
        if (!late) return std::unexpected(std::move(error));
        if (is_connecting && Clock::now() < end) {
            return fail(ErrorCode::unavailable,
                        fmt::format("{} does not accept a connection in time.", origin_.authority));
        }
        return fail(ErrorCode::timed_out, fmt::format("{} did not answer in time.", origin_.authority));
    };
    const auto wait_for_more = [&] {
        const Clock::duration left = end - Clock::now();
        const bool has_rhythm = request.quiet_max.count() > 0;
        deadline.set(has_rhythm ? std::min<Clock::duration>(request.quiet_max, left) : left);
    };
    const Sink watched = [&](std::string_view bytes) {
        wait_for_more();
        return (*sink)(bytes);
    };
    for (bool kept = link != nullptr;; kept = false) {
        if (!kept) {
            link = std::make_unique<Link>(executor_, tls_.get());
            is_connecting = true;
            deadline.set(std::min<Clock::duration>(limits_.connect_time, end - Clock::now()));
            if (auto connected = co_await link->connect(origin_); !connected)
                co_return explain(connected.error());
            if (late) co_return explain({});
            is_connecting = false;
        }
        wait_for_more();
        Exchange attempt(*link, request, limits_, sink == nullptr ? nullptr : &watched);
        auto response = co_await attempt.run(origin_);
        if (response) {
            if (attempt.may_be_kept()) keep(std::move(link));
            co_return response;
        }
        const bool closed_meanwhile =
            response.error().code == ErrorCode::unavailable && !attempt.answer_begun();
        if (kept && closed_meanwhile && !late) continue;
        co_return explain(response.error());
    }
}

}  // namespace

Result<std::unique_ptr<Client>> Client::make(async::Executor executor, std::string_view origin,
                                             ClientLimits limits) {
    auto parsed = parse_origin(origin);
    if (!parsed) return std::unexpected(parsed.error());
    return std::make_unique<PooledClient>(executor, std::move(*parsed), limits);
}

}  // namespace sheaf::http
