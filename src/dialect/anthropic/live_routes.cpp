#include "dialect/anthropic/live_routes.h"

#include <fmt/format.h>

#include "dialect/anthropic/body.h"
#include "dialect/anthropic/message_request.h"

namespace sheaf::dialect::anthropic {
namespace {

CallForm form_of(const Call& call) {
    return {
        .keep_alive = "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        .refusal = [id = call.request_id](
                       const core::Ending& ending) { return to_response(to_problem(ending), id); },
        .failed_event =
            [id = call.request_id](const core::Ending& ending) {
                return fmt::format("event: error\ndata: {}\n\n", render_problem(to_problem(ending), id));
            },
    };
}

}  // namespace

void LiveRoutes::add_to(http::Router& router, Gate& gate) {
    router.add("POST", kMessages, gate.keyed([this](Call& call) { return create_message(call); }));
    router.add("POST", std::string(kMessages) + "/count_tokens",
               gate.keyed([this](Call& call) { return count_tokens(call); }));
}

async::Task<Checked<LiveRoutes::Asked>> LiveRoutes::read(Call& call, bool counts_tokens) {
    auto body = co_await read_body(call.request, kMessageBytesMax);
    if (!body) co_return std::unexpected(body.error());
    auto request = read_message_request(*body, {.version = call.version,
                                                .refuses_sampling = parts_.refuses_sampling,
                                                .counts_tokens = counts_tokens});
    if (!request) co_return refuse(request.error());
    if (!parts_.live->knows_model(request->model))
        co_return refuse(404, type::kNotFound, tell("model", request->model));
    co_return Asked{.request = {.protocol = core::Protocol::messages,
                                .model = std::move(request->model),
                                .body = std::move(*body),
                                .counts_tokens = counts_tokens},
                    .streams = request->streams};
}

std::shared_ptr<LiveCall> LiveRoutes::start(const Call& call, core::ModelRequest request,
                                            LiveCall::Text text) {
    return std::make_shared<LiveCall>(executor_, leaving_, *parts_.live, call.caller.account,
                                      std::move(request), text);
}

async::Task<Reply> LiveRoutes::create_message(Call& call) {
    auto asked = co_await read(call, false);
    if (!asked) co_return std::unexpected(asked.error());
    if (asked->streams) {
        auto live = start(call, std::move(asked->request), LiveCall::Text::streamed);
        co_return co_await answer_with_events(std::move(live), form_of(call), parts_.times);
    }
    auto live = start(call, std::move(asked->request), LiveCall::Text::none);
    co_return co_await answer_with_reply(std::move(live), form_of(call), parts_.times);
}

async::Task<Reply> LiveRoutes::count_tokens(Call& call) {
    auto asked = co_await read(call, true);
    if (!asked) co_return std::unexpected(asked.error());
    auto live = start(call, std::move(asked->request), LiveCall::Text::none);
    co_return co_await answer_with_reply(std::move(live), form_of(call), parts_.times);
}

}  // namespace sheaf::dialect::anthropic
