#include "dialect/openai/live_routes.h"

#include "dialect/openai/body.h"
#include "dialect/openai/failures.h"
#include "dialect/openai/models.h"
#include "protocol/translation.h"

namespace sheaf::dialect::openai {
namespace {

CallForm form() {
    return {.keep_alive = ": keep-alive\n\n",
            .refusal = [](const core::Ending& ending) { return to_response(ending); },
            .failed_event = to_event};
}

std::unexpected<Problem> refuse_request(const Fields& fields, const Error& error) {
    Problem problem = to_problem(error);
    const bool is_member = !error.field.empty() && error.field.find_first_of(".[") == std::string::npos;
    if (is_member && !fields.find(error.field)) problem.code = code::kMissingRequiredParameter;
    return std::unexpected(std::move(problem));
}

Checked<bool> wants_stream(const Fields& fields) {
    const auto element = fields.find("stream");
    if (!element) return false;
    bool stream = false;
    if (element->get(stream) != simdjson::SUCCESS) return refuse_type("stream", "a boolean");
    return stream;
}

}  // namespace

void LiveRoutes::add_to(http::Router& router, Gate& gate) {
    for (const ModelEndpoint& endpoint : kModelEndpoints) {
        router.add("POST", endpoint.path,
                   gate.keyed([this, &endpoint](Call& call) { return run(call, endpoint); }));
    }
}

async::Task<Reply> LiveRoutes::run(Call& call, const ModelEndpoint& endpoint) {
    auto body = co_await read_json(call.request, parts_.body_bytes_max);
    if (!body) co_return std::unexpected(body.error());
    const Fields fields = body->fields();
    const auto model = fields.text("model");
    if (!model) co_return std::unexpected(model.error());
    const auto stream = wants_stream(fields);
    if (!stream) co_return std::unexpected(stream.error());
    if (const auto checked = protocol::check_request(endpoint.protocol, body->text, {}); !checked)
        co_return refuse_request(fields, checked.error());
    if (!parts_.live->knows_model(*model)) co_return refuse_model(*model);
    core::ModelRequest request{
        .protocol = endpoint.protocol, .model = std::string(*model), .body = std::move(body->text)};
    const bool is_streamed = *stream && endpoint.streams;
    auto live =
        std::make_shared<LiveCall>(executor_, leaving_, *parts_.live, call.account, std::move(request),
                                   is_streamed ? LiveCall::Text::streamed : LiveCall::Text::none);
    if (is_streamed) co_return co_await answer_with_events(std::move(live), form(), parts_.times);
    co_return co_await answer_with_reply(std::move(live), form(), parts_.times);
}

}  // namespace sheaf::dialect::openai
