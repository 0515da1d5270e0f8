#include "dialect/twelvelabs/analyze_routes.h"

#include "dialect/twelvelabs/analyze_json.h"
#include "dialect/twelvelabs/body.h"
#include "dialect/twelvelabs/codec.h"
#include "dialect/twelvelabs/task_request.h"
#include "dialect/twelvelabs/task_source.h"

namespace sheaf::dialect::twelvelabs {
namespace {

std::unexpected<Error> cut(const core::Ending& ending) {
    return fail(ErrorCode::internal, "A direct call failed under way: " + to_problem(ending).message);
}

// Lines of JSON, and blank ones while there is nothing to say.
LiveBody make_stream(const std::string& generation) {
    return {
        .first = render_stream_start(generation),
        .keep_alive = "\n",
        .more =
            [](LiveCall& call) {
                const std::string text = call.take_text();
                return text.empty() ? std::string() : render_stream_text(text);
            },
        .last = [generation](LiveCall& call) -> Result<std::string> {
            const auto* const succeeded = std::get_if<core::Succeeded>(&*call.ending());
            if (succeeded == nullptr) return cut(*call.ending());
            std::string last;
            const std::string rest = call.take_rest(succeeded->answer);
            if (!rest.empty()) last = render_stream_text(rest);
            return last + render_stream_end(succeeded->answer, generation);
        },
    };
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
        return send_live(live, make_stream(generation), times, out);
    });
    co_return response;
}

async::Task<Reply> AnalyzeRoutes::answer_whole(std::shared_ptr<LiveCall> live, std::string generation) {
    co_await await_ending(*live, parts_.times);
    if (live->ending()) {
        const auto* const succeeded = std::get_if<core::Succeeded>(&*live->ending());
        if (succeeded == nullptr) co_return std::unexpected(to_problem(*live->ending()));
        co_return json_response(200, render_direct_answer(succeeded->answer, generation));
    }
    const auto document = [generation](const core::Ending& ending) -> Result<std::string> {
        const auto* const succeeded = std::get_if<core::Succeeded>(&ending);
        if (succeeded == nullptr) return cut(ending);
        return render_direct_answer(succeeded->answer, generation);
    };
    http::Response response = json_response(200, {});
    response.body = http::StreamBody([live, document, times = parts_.times](http::BodyWriter& out) {
        return send_live(live, document_after_blanks(document), times, out);
    });
    co_return response;
}

}  // namespace sheaf::dialect::twelvelabs
