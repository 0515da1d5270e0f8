#include "http/request_body.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sheaf::http {
namespace {

// A chunked body passes through the buffer; with a small one it would take many calls.
constexpr std::size_t kChunkedReadBytes = 32 * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

RequestBody::RequestBody(Wire& wire, const RequestHead& head, const ServerLimits& limits)
    : wire_(wire),
      limits_(limits),
      framing_(head.framing),
      continue_owed_(head.expects_continue),
      ended_(head.framing.kind == Framing::Kind::none) {}

std::optional<std::uint64_t> RequestBody::announced_bytes() const {
    if (framing_.kind == Framing::Kind::chunked) return std::nullopt;
    return framing_.kind == Framing::Kind::length ? framing_.bytes : 0;
}

std::unexpected<Error> RequestBody::give_up(ErrorCode code, std::string message) {
    failure_ = Error{code, std::move(message), {}};
    return std::unexpected(*failure_);
}

async::Task<Result<std::size_t>> RequestBody::read(std::span<char> into) {
    if (failure_) co_return std::unexpected(*failure_);
    if (ended_ || into.empty()) co_return 0;
    if (framing_.kind == Framing::Kind::length && framing_.bytes > limit_) {
        co_return fail(ErrorCode::too_large, "The request's body is larger than is allowed here.");
    }
    if (std::exchange(continue_owed_, false)) {
        const std::array parts{kContinue};
        if (!co_await wire_.write(parts)) co_return give_up(ErrorCode::canceled, "The client went away.");
    }
    const bool chunked = framing_.kind == Framing::Kind::chunked;
    // One byte beyond the limit is enough to know that it is passed.
    const std::uint64_t room = limit_ < received_ ? 0 : limit_ - received_;
    if (chunked && room < into.size()) into = into.first(static_cast<std::size_t>(room) + 1);
    auto count = chunked ? co_await read_chunked(into) : co_await read_counted(into);
    if (!count) co_return count;
    received_ += *count;
    if (received_ > limit_)
        co_return give_up(ErrorCode::too_large, "The request's body is larger than is allowed here.");
    co_return count;
}

async::Task<Result<std::size_t>> RequestBody::read_counted(std::span<char> into) {
    const std::uint64_t left = framing_.bytes - received_;
    into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size())));
    std::size_t count = 0;
    if (const std::string_view input = wire_.input(); !input.empty()) {
        count = std::min(input.size(), into.size());
        std::memcpy(into.data(), input.data(), count);
        wire_.consume(count);
    } else {
        const auto received = co_await receive(into, false);
        if (!received) co_return received;
        count = *received;
    }
    ended_ = received_ + count == framing_.bytes;
    co_return count;
}

async::Task<Result<std::size_t>> RequestBody::read_chunked(std::span<char> into) {
    while (true) {
        const auto step = chunks_.decode(wire_.input(), into);
        wire_.consume(step.consumed);
        if (chunks_.broken())
            co_return give_up(ErrorCode::invalid, "The request's chunked body is malformed.");
        ended_ = chunks_.ended();
        if (ended_ || step.produced > 0) co_return step.produced;
        const auto received = co_await receive({}, true);
        if (!received) co_return received;
    }
}

async::Task<Result<std::size_t>> RequestBody::receive(std::span<char> into, bool into_buffer) {
    // Only waiting for the sender counts: a slow handler is not its fault.
    const auto earned = std::chrono::milliseconds(on_the_wire_ * 1000 / limits_.body_bytes_per_second);
    const auto before = std::chrono::steady_clock::now();
    wire_.set_read_deadline(
        std::max<std::chrono::steady_clock::duration>(limits_.body_grace + earned - waited_, {}));
    const std::size_t count =
        into_buffer ? co_await wire_.fill(kChunkedReadBytes) : co_await wire_.read_into(into);
    waited_ += std::chrono::steady_clock::now() - before;
    on_the_wire_ += count;
    if (count > 0) co_return count;
    if (wire_.timed_out())
        co_return give_up(ErrorCode::timed_out, "The client sends the request's body too slowly.");
    co_return give_up(ErrorCode::canceled, "The client went away before the end of the request's body.");
}

async::Task<void> RequestBody::discard(std::uint64_t bytes_max) {
    // Who asked first has sent nothing, and may not: only closing the connection is unambiguous.
    if (ended_ || failure_ || continue_owed_) co_return;
    if (framing_.kind == Framing::Kind::length && framing_.bytes - received_ > bytes_max) co_return;
    limit_ = received_ + bytes_max;
    if (framing_.kind == Framing::Kind::length) limit_ = std::max(limit_, framing_.bytes);
    std::array<char, 16 * 1024> dropped{};
    while (!ended_) {
        if (const auto count = co_await read(dropped); !count) co_return;
    }
}

}  // namespace sheaf::http
