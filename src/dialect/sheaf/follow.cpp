#include "dialect/sheaf/follow.h"

#include <limits>

#include <fmt/format.h>

#include "http/syntax.h"

namespace sheaf::dialect::native {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kHeartbeatSecondsMax = 3600;
constexpr std::chrono::milliseconds kWaitMax{std::chrono::hours{1}};

Result<std::optional<std::uint64_t>> read_number(const http::Request& request, std::string_view name,
                                                 std::uint64_t least, std::uint64_t most) {
    const auto text = request.parameter(name);
    if (!text) return std::nullopt;
    const auto number = http::parse_decimal(*text);
    if (number && *number >= least && *number <= most) return *number;
    return fail(ErrorCode::invalid, fmt::format("{} must be an integer from {} to {}.", name, least, most),
                std::string(name));
}

std::string render(const store::EndedItems& part, const LineOfUnrun& line_of_unrun) {
    std::string text;
    for (const store::ItemLine& line : part.items) text += line.line ? *line.line : line_of_unrun(line.item);
    return text;
}

// Waits for what ends next; says now and then that the connection lives.
class Patience {
public:
    Patience(service::Followers& followers, const BatchId& batch, FollowQuery query, http::BodyWriter& out)
        : follower_(followers, batch), heartbeat_(query.heartbeat), out_(&out) {}

    void line_was_sent() { quiet_since_ = Clock::now(); }
    async::Task<Result<>> wait() {
        if (!heartbeat_) {
            co_await follower_.wait_for(kWaitMax);
            co_return Result<>{};
        }
        const auto left = quiet_since_ + *heartbeat_ - Clock::now();
        if (left > left.zero()) {
            co_await follower_.wait_for(std::chrono::ceil<std::chrono::milliseconds>(left));
            co_return Result<>{};
        }
        quiet_since_ = Clock::now();
        co_return co_await out_->write("\n");
    }

private:
    service::Followers::Follower follower_;
    std::optional<std::chrono::seconds> heartbeat_;
    http::BodyWriter* out_;
    Clock::time_point quiet_since_ = Clock::now();
};

async::Task<Result<>> stream_ended(service::Batches& batches, service::Followers& followers, BatchId id,
                                   FollowQuery query, LineOfUnrun line_of_unrun, http::BodyWriter& out) {
    // Before the first look, so that nothing comes unnoticed between a look and a wait.
    Patience patience(followers, id, query, out);
    std::uint32_t sent = query.after;
    while (!followers.stopped()) {
        auto part = co_await batches.read_ended(id, sent);
        if (!part) co_return std::unexpected(part.error());
        sent += static_cast<std::uint32_t>(part->items.size());
        const bool is_last = part->is_whole && sent >= part->count;
        Result<> done;
        if (!part->items.empty()) {
            const std::string text = render(*part, line_of_unrun);
            part->items = {};
            done = co_await out.write(text);
            patience.line_was_sent();
        } else if (!is_last) {
            done = co_await patience.wait();
        }
        if (!done || is_last) co_return done;
    }
    co_return fail(ErrorCode::unavailable, "The server stops.");
}

}  // namespace

Result<std::optional<FollowQuery>> read_follow_query(const http::Request& request) {
    const auto follow = request.parameter("follow");
    if (follow && *follow != "true" && *follow != "false")
        return fail(ErrorCode::invalid, "follow must be true or false.", "follow");
    const auto after = read_number(request, "after", 0, std::numeric_limits<std::uint32_t>::max());
    if (!after) return std::unexpected(after.error());
    const auto heartbeat = read_number(request, "heartbeat", 1, kHeartbeatSecondsMax);
    if (!heartbeat) return std::unexpected(heartbeat.error());
    FollowQuery query;
    if (*after) query.after = static_cast<std::uint32_t>(**after);
    if (*heartbeat) query.heartbeat = std::chrono::seconds{**heartbeat};
    if (follow == "true") return query;
    // Without following, lines come in another order, in which it would count something else.
    if (*after) return fail(ErrorCode::invalid, "after goes with follow=true.", "after");
    if (*heartbeat) return fail(ErrorCode::invalid, "heartbeat goes with follow=true.", "heartbeat");
    return std::nullopt;
}

async::Task<Result<http::Response>> follow_results(service::Batches& batches, service::Followers& followers,
                                                   BatchId id, FollowQuery query, LineOfUnrun line_of_unrun) {
    const auto end = co_await batches.read_ended(id, std::numeric_limits<std::uint32_t>::max());
    if (!end) co_return std::unexpected(end.error());
    if (query.after > end->count) {
        co_return fail(ErrorCode::invalid,
                       fmt::format("after must be at most {}, the number of lines there are.", end->count),
                       "after");
    }
    http::Response response;
    response.headers.add("Content-Type", "application/jsonl");
    response.headers.add("Cache-Control", "no-cache");
    // Asks proxies to pass on each line as it comes.
    response.headers.add("X-Accel-Buffering", "no");
    response.body =
        http::StreamBody([&batches, &followers, id, query, line_of_unrun = std::move(line_of_unrun)](
                             http::BodyWriter& out) -> async::Task<Result<>> {
            return stream_ended(batches, followers, id, query, line_of_unrun, out);
        });
    co_return response;
}

}  // namespace sheaf::dialect::native
