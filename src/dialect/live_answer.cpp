#include "dialect/live_answer.h"

#include <algorithm>

namespace sheaf::dialect {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

async::Task<void> await_ending(LiveCall& call, LiveTimes times) {
    const Clock::time_point until = Clock::now() + times.patience;
    while (!call.ending() && Clock::now() < until) {
        co_await call.wait_for(std::min(times.look_every, times.patience));
        call.take_text();
    }
}

async::Task<void> await_text(LiveCall& call, LiveTimes times) {
    const Clock::time_point until = Clock::now() + times.keep_alive;
    while (!call.ending() && !call.has_text() && Clock::now() < until)
        co_await call.wait_for(std::min(times.look_every, times.keep_alive));
}

LiveBody document_after_blanks(std::function<Result<std::string>(const core::Ending&)> document) {
    return {
        .first = " ",
        .keep_alive = " ",
        .more =
            [](LiveCall& call) {
                call.take_text();
                return std::string();
            },
        .last = [document = std::move(document)](LiveCall& call) { return document(*call.ending()); },
    };
}

async::Task<Result<>> send_live(std::shared_ptr<LiveCall> call, LiveBody body, LiveTimes times,
                                http::BodyWriter& out) {
    if (!body.first.empty()) {
        if (auto written = co_await out.write(body.first); !written) co_return written;
    }
    Clock::time_point spoke = Clock::now();
    while (true) {
        co_await call->wait_for(times.look_every);
        std::string bytes = body.more(*call);
        if (bytes.empty() && call->ending()) break;
        if (bytes.empty() && Clock::now() - spoke >= times.keep_alive) bytes = body.keep_alive;
        if (!bytes.empty()) {
            if (auto written = co_await out.write(bytes); !written) co_return written;
            spoke = Clock::now();
        } else if (out.client_gone()) {
            co_return fail(ErrorCode::canceled, "The client of a live call went away.");
        }
    }
    const auto last = body.last(*call);
    if (!last) co_return std::unexpected(last.error());
    if (last->empty()) co_return Result<>{};
    co_return co_await out.write(*last);
}

}  // namespace sheaf::dialect
