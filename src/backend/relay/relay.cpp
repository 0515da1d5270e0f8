#include "backend/relay/relay.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "backend/token_estimate.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"

namespace sheaf::backend::relay {
namespace {

namespace dom = simdjson::dom;
using core::Protocol;

bool is_good(const http::ClientResponse& response) {
    return response.status >= 200 && response.status < 300;
}

bool is_no_such_path(int status) {
    return status == 404 || status == 405 || status == 501;
}

core::Outcome refused(std::string message, std::string field = {}) {
    return core::Refused{
        {.code = "invalid_request", .message = std::move(message), .field = std::move(field)}};
}

std::string_view path_of(Protocol protocol) {
    switch (protocol) {
        case Protocol::chat_completions:
            return "/chat/completions";
        case Protocol::messages:
            return "/messages";
        case Protocol::responses:
            return "/responses";
        case Protocol::embeddings:
            return "/embeddings";
    }
    return "";
}

std::string why_not(const core::ModelRequest& request) {
    return request.protocol == Protocol::embeddings
               ? fmt::format("The model \"{}\" makes no embeddings.", request.model)
               : fmt::format("The model \"{}\" makes embeddings only.", request.model);
}

core::Answer count_answer(std::uint64_t tokens) {
    jsonl::Writer json;
    json.open_object().member("input_tokens", tokens).close_object();
    return {
        .text = {}, .finish = core::FinishReason::stop, .truncation = {}, .reply = json.take(), .usage = {}};
}

// What vLLM's /tokenize takes of a chat request, or nullopt when it is none.
std::optional<std::string> tokenize_body(std::string_view chat) {
    const auto document = jsonl::Document::parse(chat);
    dom::object request;
    if (!document || document->root().get(request) != simdjson::SUCCESS) return std::nullopt;
    jsonl::Writer json;
    json.open_object();
    for (const auto* name : {"model", "messages", "tools"})
        if (dom::element member; request[name].get(member) == simdjson::SUCCESS)
            json.member_raw(name, simdjson::minify(member));
    return json.close_object().take();
}

}  // namespace

bool Relay::speaks(Protocol protocol) const {
    return std::ranges::find(spoken_, protocol) != spoken_.end();
}

std::optional<Protocol> Relay::find_target(Protocol asked) const {
    if (speaks(asked)) return asked;
    if (asked == Protocol::embeddings) return std::nullopt;
    for (const auto other : {Protocol::chat_completions, Protocol::messages, Protocol::responses})
        if (speaks(other)) return other;
    return std::nullopt;
}

Result<std::string> Relay::body_for(Protocol target, const core::ModelRequest& request, bool stream) const {
    if (target == request.protocol) return protocol::with_model(target, request.body, model_, stream);
    return protocol::translate_request(request.protocol, target, request.body,
                                       {.model = model_, .stream = stream});
}

ServerCall Relay::call(Protocol target, std::string body, std::uint64_t prefix) const {
    ServerCall made{
        .path = std::string(path_of(target)), .headers = {}, .body = std::move(body), .prefix = prefix};
    if (target != Protocol::messages) return made;
    made.headers.add("anthropic-version", "2023-06-01");
    const Secret& key = servers_->options().key;
    if (!key.empty()) made.headers.add("x-api-key", key.reveal());
    return made;
}

async::Task<core::Outcome> Relay::run(core::ModelRequest request, OnText on_text, std::uint64_t prefix) {
    if (request.counts_tokens) co_return co_await count(request);
    const auto target = find_target(request.protocol);
    if (!target) co_return refused(why_not(request), "model");
    const bool stream = on_text && request.protocol != Protocol::embeddings;
    auto body = body_for(*target, request, stream);
    if (!body) co_return refused(body.error().message, body.error().field);
    if (stream) co_return co_await ask_streaming(request, *target, *std::move(body), on_text);
    co_return co_await ask(request, *target, *std::move(body), prefix);
}

async::Task<core::Outcome> Relay::ask(const core::ModelRequest& request, Protocol target, std::string body,
                                      std::uint64_t prefix) {
    const auto response = co_await servers_->send(call(target, std::move(body), prefix));
    if (!response) co_return servers_->outcome_of(response.error());
    if (!is_good(*response)) co_return outcome_without_reply(*response, target == request.protocol);
    auto reply =
        protocol::translate_reply(target, request.protocol, response->body, request.body, request.model);
    if (!reply) co_return servers_->outcome_of(reply.error());
    co_return core::Answer{.text = {},
                           .finish = core::FinishReason::stop,
                           .truncation = {},
                           .reply = std::move(reply->body),
                           .usage = reply->usage};
}

async::Task<core::Outcome> Relay::ask_streaming(const core::ModelRequest& request, Protocol target,
                                                std::string body, const OnText& on_text) {
    const auto translator =
        protocol::make_stream_translator(target, request.protocol, request.body, request.model);
    std::optional<Error> fault;
    const auto response = co_await servers_->send_streaming(
        call(target, std::move(body)), [&translator, &fault, &on_text](std::string_view bytes) {
            const auto events = translator->feed(bytes);
            if (!events) fault = events.error();
            if (events && !events->empty()) on_text(*events);
            return events.has_value();
        });
    if (fault) co_return servers_->outcome_of(*fault);
    if (!response) co_return servers_->outcome_of(response.error());
    if (!is_good(*response)) co_return outcome_without_reply(*response, target == request.protocol);
    auto end = translator->finish();
    if (!end) co_return servers_->outcome_of(end.error());
    if (!end->events.empty()) on_text(end->events);
    co_return core::Answer{.text = {},
                           .finish = core::FinishReason::stop,
                           .truncation = {},
                           .reply = std::move(end->reply.body),
                           .usage = end->reply.usage};
}

async::Task<core::Outcome> Relay::count(const core::ModelRequest& request) {
    if (speaks(Protocol::messages)) {
        auto body = protocol::with_model(request.protocol, request.body, model_, false);
        if (!body) co_return refused(body.error().message, body.error().field);
        auto asked = call(Protocol::messages, *std::move(body));
        asked.path += "/count_tokens";
        if (auto outcome = co_await ask_for_count(std::move(asked), "input_tokens"))
            co_return *std::move(outcome);
    }
    auto chat = protocol::translate_request(request.protocol, Protocol::chat_completions, request.body,
                                            {.model = model_});
    if (!chat) co_return refused(chat.error().message, chat.error().field);
    if (auto body = tokenize_body(*chat)) {
        ServerCall asked{
            .path = "/tokenize", .below = ServerCall::Below::origin, .headers = {}, .body = *std::move(body)};
        if (auto outcome = co_await ask_for_count(std::move(asked), "count")) co_return *std::move(outcome);
    }
    co_return count_answer(estimated_request_tokens(request.body));
}

// nullopt: the server does not count in this way.
async::Task<std::optional<core::Outcome>> Relay::ask_for_count(ServerCall call, std::string_view member) {
    const bool is_own_protocol = call.below == ServerCall::Below::url;
    const auto response = co_await servers_->send(std::move(call));
    if (!response) co_return servers_->outcome_of(response.error());
    if (!is_good(*response)) {
        auto outcome = outcome_without_reply(*response, is_own_protocol);
        const auto* refused = std::get_if<core::Refused>(&outcome);
        const bool names_model = refused != nullptr && refused->failure.code == "model_not_found";
        // A tokenizer of another kind finds our words wrong; that is not the client's fault.
        if (!names_model && (is_no_such_path(response->status) || (refused != nullptr && !is_own_protocol)))
            co_return std::nullopt;
        co_return outcome;
    }
    const auto document = jsonl::Document::parse(response->body);
    std::uint64_t tokens = 0;
    if (!document || document->root()[member].get(tokens) != simdjson::SUCCESS) co_return std::nullopt;
    co_return count_answer(tokens);
}

core::Outcome Relay::outcome_without_reply(const http::ClientResponse& response, bool is_own_protocol) const {
    auto outcome = servers_->outcome_of(response);
    // The path of a fault in our translation tells the client nothing.
    if (auto* refused = std::get_if<core::Refused>(&outcome); refused != nullptr && !is_own_protocol)
        refused->failure.field.clear();
    return outcome;
}

}  // namespace sheaf::backend::relay
