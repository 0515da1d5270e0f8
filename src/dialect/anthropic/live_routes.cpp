#include "dialect/anthropic/live_routes.h"

#include <fmt/format.h>

#include "dialect/anthropic/body.h"
#include "dialect/anthropic/message_request.h"

namespace sheaf::dialect::anthropic {
namespace {

constexpr std::string_view kPing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

std::string render_error_event(const core::Ending& ending, std::string_view request_id) {
    return fmt::format("event: error\ndata: {}\n\n", render_problem(to_problem(ending), request_id));
}

Result<std::string> render_document(const core::Ending& ending) {
    if (const auto* const succeeded = std::get_if<core::Succeeded>(&ending)) return succeeded->answer.reply;
    return fail(ErrorCode::internal, "A live call failed under way: " + to_problem(ending).message);
}

LiveBody make_events(std::string request_id) {
    return {
        .first = {},
        .keep_alive = std::string(kPing),
        .more = [](LiveCall& call) { return call.take_events(); },
        .last = [request_id = std::move(request_id)](LiveCall& call) -> Result<std::string> {
            if (std::holds_alternative<core::Succeeded>(*call.ending())) return std::string();
            return render_error_event(*call.ending(), request_id);
        },
    };
}

}  // namespace

void LiveRoutes::add_to(http::Router& router, Gate& gate) {
    router.add("POST", kMessages, gate.keyed([this](Call& call) { return create_message(call); }));
    router.add("POST", std::string(kMessages) + "/count_tokens",
               gate.keyed([this](Call& call) { return count_tokens(call); }));
}

async::Task<Checked<LiveRoutes::Started>> LiveRoutes::start(Call& call, bool counts_tokens) {
    auto body = co_await read_body(call.request, kMessageBytesMax);
    if (!body) co_return std::unexpected(body.error());
    auto request = read_message_request(*body, {.version = call.version,
                                                .refuses_sampling = parts_.refuses_sampling,
                                                .counts_tokens = counts_tokens});
    if (!request) co_return refuse(request.error());
    if (!parts_.live->knows_model(request->model))
        co_return refuse(404, type::kNotFound, tell("model", request->model));
    core::ModelRequest asked{.protocol = core::Protocol::messages,
                             .model = std::move(request->model),
                             .body = std::move(*body),
                             .counts_tokens = counts_tokens};
    const auto text = request->streams ? LiveCall::Text::wanted : LiveCall::Text::unwanted;
    co_return Started{std::make_shared<LiveCall>(co_await async::current_executor(), leaving_, *parts_.live,
                                                 call.caller.account, std::move(asked), text),
                      request->streams};
}

async::Task<Reply> LiveRoutes::create_message(Call& call) {
    auto started = co_await start(call, false);
    if (!started) co_return std::unexpected(started.error());
    if (started->streams) co_return co_await answer_with_events(std::move(started->live), call.request_id);
    co_return co_await answer_whole(std::move(started->live));
}

async::Task<Reply> LiveRoutes::count_tokens(Call& call) {
    auto started = co_await start(call, true);
    if (!started) co_return std::unexpected(started.error());
    co_return co_await answer_whole(std::move(started->live));
}

async::Task<Reply> LiveRoutes::answer_whole(std::shared_ptr<LiveCall> live) {
    co_await await_ending(*live, parts_.times);
    if (live->ending()) {
        auto document = render_document(*live->ending());
        if (!document) co_return std::unexpected(to_problem(*live->ending()));
        co_return json_response(std::move(*document));
    }
    http::Response response = json_response({});
    response.body = http::StreamBody([live, times = parts_.times](http::BodyWriter& out) {
        return send_live(live, document_after_blanks(render_document), times, out);
    });
    co_return response;
}

async::Task<Reply> LiveRoutes::answer_with_events(std::shared_ptr<LiveCall> live, std::string request_id) {
    co_await await_text(*live, parts_.times);
    const bool has_failed = live->ending() && !std::holds_alternative<core::Succeeded>(*live->ending());
    if (has_failed && !live->has_text()) co_return std::unexpected(to_problem(*live->ending()));
    http::Response response;
    response.headers.add("Content-Type", "text/event-stream");
    response.headers.add("Cache-Control", "no-cache");
    response.body = http::StreamBody(
        [live, request_id = std::move(request_id), times = parts_.times](http::BodyWriter& out) {
            return send_live(live, make_events(request_id), times, out);
        });
    co_return response;
}

}  // namespace sheaf::dialect::anthropic
