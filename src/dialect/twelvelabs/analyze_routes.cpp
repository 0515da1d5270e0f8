#include "dialect/twelvelabs/analyze_routes.h"

#include "dialect/twelvelabs/analyze_json.h"
#include "dialect/twelvelabs/body.h"
#include "dialect/twelvelabs/codec.h"
#include "dialect/twelvelabs/task_request.h"
#include "dialect/twelvelabs/task_source.h"

namespace sheaf::dialect::twelvelabs {
namespace {

using Clock = std::chrono::steady_clock;

std::unexpected<Error> cut(const core::Ending& ending) {
    return fail(ErrorCode::internal, "A direct call failed under way: " + to_problem(ending).message);
}

// Writes text and blank lines until the analysis has ended, or the client has gone.
async::Task<Result<>> pump(LiveCall& live, DirectTimes times, http::BodyWriter& out) {
    Clock::time_point spoke = Clock::now();
    while (true) {
        co_await live.wait_for(times.look_every);
        const std::string text = live.take_text();
        std::string bytes;
        if (!text.empty())
            bytes = render_stream_text(text);
        else if (!live.ending() && Clock::now() - spoke >= times.keep_alive)
            bytes = "\n";
        if (!bytes.empty()) {
            if (auto written = co_await out.write(bytes); !written) co_return written;
            spoke = Clock::now();
        } else if (live.ending()) {
            co_return Result<>{};
        } else if (out.client_gone()) {
            co_return fail(ErrorCode::canceled, "The client of a direct call went away.");
        }
    }
}

async::Task<Result<>> stream_events(std::shared_ptr<LiveCall> live, std::string generation, DirectTimes times,
                                    http::BodyWriter& out) {
    if (auto written = co_await out.write(render_stream_start(generation)); !written) co_return written;
    if (auto pumped = co_await pump(*live, times, out); !pumped) co_return pumped;
    const auto* const succeeded = std::get_if<core::Succeeded>(&*live->ending());
    if (succeeded == nullptr) co_return cut(*live->ending());
    std::string last;
    const std::string rest = live->take_rest(succeeded->answer);
    if (!rest.empty()) last = render_stream_text(rest);
    last += render_stream_end(succeeded->answer, generation);
    co_return co_await out.write(last);
}

// The document of a slow answer, after as many blanks as it takes.
async::Task<Result<>> write_slow_answer(std::shared_ptr<LiveCall> live, std::string generation,
                                        DirectTimes times, http::BodyWriter& out) {
    if (auto written = co_await out.write(" "); !written) co_return written;
    Clock::time_point spoke = Clock::now();
    while (!live->ending()) {
        co_await live->wait_for(times.look_every);
        if (out.client_gone()) co_return fail(ErrorCode::canceled, "The client of a direct call went away.");
        if (Clock::now() - spoke < times.keep_alive) continue;
        if (auto written = co_await out.write(" "); !written) co_return written;
        spoke = Clock::now();
    }
    const auto* const succeeded = std::get_if<core::Succeeded>(&*live->ending());
    if (succeeded == nullptr) co_return cut(*live->ending());
    co_return co_await out.write(render_direct_answer(succeeded->answer, generation));
}

}  // namespace

void AnalyzeRoutes::add_to(http::Router& router, Gate& gate) {
    router.add("POST", std::string(kPrefix) + "/analyze",
               gate.keyed([this](Call& call) { return analyze(call); }));
}

async::Task<Reply> AnalyzeRoutes::analyze(Call& call) {
    const service::Limits& limits = parts_.assets->limits();
    auto body = co_await read_json(call.request, kMediaBodyMax);
    if (!body) co_return std::unexpected(body.error());
    Findings findings;
    TaskRequest request = read_direct_request(body->document.root(), limits, findings);
    if (findings.any()) co_return findings.refusal();
    auto model = choose_model(request, *parts_.live, parts_.default_model);
    if (!model) co_return std::unexpected(model.error());
    const AssetRules rules{.missing_status = 404, .video_seconds_max = limits.live_video_seconds_max};
    if (auto checked = co_await check_task_assets(*parts_.assets, call.account, request, rules); !checked) {
        co_return std::unexpected(checked.error());
    }
    std::string generation = generation_id(make_raw_id(parts_.assets->now()));
    auto live = std::make_shared<LiveCall>(
        co_await async::current_executor(), leaving_, *parts_.live, call.account,
        to_analysis(request.params, request.mode, std::move(*model), std::move(request.video)));
    if (!request.stream) co_return co_await answer_whole(std::move(live), std::move(generation));
    http::Response response;
    response.headers.add("Content-Type", "application/x-ndjson");
    response.body = http::StreamBody([live, generation, times = parts_.times](http::BodyWriter& out) {
        return stream_events(live, generation, times, out);
    });
    co_return response;
}

async::Task<Reply> AnalyzeRoutes::answer_whole(std::shared_ptr<LiveCall> live, std::string generation) {
    const Clock::time_point until = Clock::now() + parts_.times.patience;
    while (!live->ending() && Clock::now() < until) {
        co_await live->wait_for(std::min(parts_.times.look_every, parts_.times.patience));
        live->take_text();
    }
    if (live->ending()) {
        const auto* const succeeded = std::get_if<core::Succeeded>(&*live->ending());
        if (succeeded == nullptr) co_return std::unexpected(to_problem(*live->ending()));
        co_return json_response(200, render_direct_answer(succeeded->answer, generation));
    }
    http::Response response = json_response(200, {});
    response.body = http::StreamBody([live, generation, times = parts_.times](http::BodyWriter& out) {
        return write_slow_answer(live, generation, times, out);
    });
    co_return response;
}

}  // namespace sheaf::dialect::twelvelabs
