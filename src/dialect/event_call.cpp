#include "dialect/event_call.h"

namespace sheaf::dialect {
namespace {

using Clock = std::chrono::steady_clock;

bool has_failed(const LiveCall& call) {
    return call.ending() && !std::holds_alternative<core::Succeeded>(*call.ending());
}

std::unexpected<Error> client_left() {
    return fail(ErrorCode::canceled, "The client of a direct call went away.");
}

// Sends what comes, and something now and then when nothing does, until the call has ended.
async::Task<Result<>> write_events(std::shared_ptr<LiveCall> call, std::string events, CallForm form,
                                   CallTimes times, http::BodyWriter& out) {
    Clock::time_point spoke = Clock::now();
    while (true) {
        if (events.empty() && !call->ending() && Clock::now() - spoke >= times.keep_alive)
            events = form.keep_alive;
        if (!events.empty()) {
            if (auto written = co_await out.write(events); !written) co_return written;
            spoke = Clock::now();
        } else if (call->ending()) {
            if (has_failed(*call)) co_return co_await out.write(form.failed_event(*call->ending()));
            co_return Result<>{};
        } else if (out.client_gone()) {
            co_return client_left();
        }
        co_await call->wait_for(times.look_every);
        events = call->take_text();
    }
}

// The document of a slow answer, after as many blanks as it takes.
async::Task<Result<>> write_slow_reply(std::shared_ptr<LiveCall> call, CallTimes times,
                                       http::BodyWriter& out) {
    if (auto written = co_await out.write(" "); !written) co_return written;
    Clock::time_point spoke = Clock::now();
    while (!call->ending()) {
        co_await call->wait_for(times.look_every);
        if (out.client_gone()) co_return client_left();
        if (Clock::now() - spoke < times.keep_alive) continue;
        if (auto written = co_await out.write(" "); !written) co_return written;
        spoke = Clock::now();
    }
    if (has_failed(*call))
        co_return fail(ErrorCode::internal, "A direct call failed after its answer began.");
    co_return co_await out.write(std::get<core::Succeeded>(*call->ending()).answer.reply);
}

}  // namespace

async::Task<http::Response> answer_with_events(std::shared_ptr<LiveCall> call, CallForm form,
                                               CallTimes times) {
    co_await call->wait_for(times.first_event);
    std::string events = call->take_text();
    if (events.empty() && has_failed(*call)) co_return form.refusal(*call->ending());
    http::Response response;
    response.headers.add("Content-Type", "text/event-stream");
    response.headers.add("Cache-Control", "no-cache");
    response.body =
        http::StreamBody([call = std::move(call), events = std::move(events), form = std::move(form), times](
                             http::BodyWriter& out) { return write_events(call, events, form, times, out); });
    co_return response;
}

async::Task<http::Response> answer_with_reply(std::shared_ptr<LiveCall> call, CallForm form,
                                              CallTimes times) {
    const Clock::time_point until = Clock::now() + times.patience;
    for (auto left = times.patience; !call->ending() && left.count() > 0;
         left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now())) {
        co_await call->wait_for(left);
    }
    if (has_failed(*call)) co_return form.refusal(*call->ending());
    http::Response response;
    response.headers.add("Content-Type", "application/json");
    if (call->ending()) {
        response.body = std::get<core::Succeeded>(*call->ending()).answer.reply;
        co_return response;
    }
    response.body = http::StreamBody([call = std::move(call), times](http::BodyWriter& out) {
        return write_slow_reply(call, times, out);
    });
    co_return response;
}

}  // namespace sheaf::dialect
