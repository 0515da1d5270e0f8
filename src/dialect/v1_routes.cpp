#include "dialect/v1_routes.h"

#include "base/check.h"
#include "dialect/credentials.h"
#include "dialect/spooling.h"
#include "jsonl/splitter.h"

namespace sheaf::dialect {
namespace {

constexpr std::string_view kPrefix = "/v1";
constexpr std::string_view kSail = "sail";

http::Response refusal(const ErrorObject& error) {
    http::Response response = to_response(error);
    add_request_id(response);
    return response;
}

http::Response refusal(const Error& error) {
    if (error.code != ErrorCode::denied) return refusal(to_error_object(error));
    return refusal(ErrorObject{.status = 401,
                               .type = "invalid_request_error",
                               .message = "The API key is missing, unknown or no longer valid.",
                               .code = "invalid_api_key"});
}

// The members that tell whose body it is; both false also where it is no object.
struct Marks {
    bool requests = false;
    bool input_file_id = false;
};

Marks marks_of(std::string_view body) {
    Marks marks;
    const auto split = jsonl::for_each_member(body, [&](std::string_view name, std::string_view) -> Result<> {
        marks.requests |= name == "requests";
        marks.input_file_id |= name == "input_file_id";
        return {};
    });
    // What was seen so far says best in whose words it should be told what is wrong.
    (void)split;
    return marks;
}

bool is_openai_sdk(const http::Request& request) {
    if (request.headers.find("x-stainless-lang")) return true;
    const std::string_view agent = request.headers.find("user-agent").value_or("");
    return agent.starts_with("OpenAI/") || agent.starts_with("AsyncOpenAI/");
}

}  // namespace

V1Routes::V1Routes(Parts parts) : parts_(std::move(parts)) {
    for (const SharedHandlers* const dialect : {&parts_.openai, &parts_.sail}) {
        CHECK(dialect->create_batch && dialect->list_batches && dialect->retrieve_batch &&
                  dialect->cancel_batch,
              "the dialects of /v1/batches have all of its calls");
    }
    for (const SharedHandlers* const dialect : {&parts_.openai, &parts_.anthropic}) {
        CHECK(dialect->list_models && dialect->retrieve_model && dialect->under_v1.not_found &&
                  dialect->under_v1.method_not_allowed,
              "the dialects of /v1 have models and fallbacks");
    }
    CHECK(parts_.sail.retrieve_item, "items by name are Sail's");
}

void V1Routes::add_to(http::Router& router) {
    const std::string batches = std::string(kPrefix) + "/batches";
    const std::string batch = batches + "/{batch_id}";
    const std::string models = std::string(kPrefix) + "/models";
    router.add("POST", batches, [this](http::Request& request) { return create(request); });
    router.add("GET", batches, [this](http::Request& request) { return list_for(request)(request); });
    router.add("GET", batch, [this](http::Request& request) {
        return answer_for_batch(request, &SharedHandlers::retrieve_batch);
    });
    router.add("POST", batch + "/cancel", [this](http::Request& request) {
        return answer_for_batch(request, &SharedHandlers::cancel_batch);
    });
    router.add("GET", batch + "/{custom_id}",
               [this](http::Request& request) { return answer_for_item(request); });
    router.add("GET", models,
               [this](http::Request& request) { return models_for(request).list_models(request); });
    router.add("GET", models + "/{model}",
               [this](http::Request& request) { return models_for(request).retrieve_model(request); });
    router.add_fallbacks(kPrefix, {.not_found =
                                       [this](http::Request& request) {
                                           return models_for(request).under_v1.not_found(request);
                                       },
                                   .method_not_allowed =
                                       [this](http::Request& request) {
                                           return models_for(request).under_v1.method_not_allowed(request);
                                       }});
}

async::Task<http::Response> V1Routes::create(http::Request& request) {
    const auto caller = co_await identify(request);
    if (!caller) co_return refusal(caller.error());
    auto spool = co_await spool_body(request, *parts_.batches, parts_.create_bytes_max);
    if (!spool) co_return refusal(spool.error());
    co_return co_await create_from(request, std::move(*spool));
}

async::Task<http::Response> V1Routes::create_from(http::Request& request, service::Spool spool) {
    const auto body = co_await spool.bytes();
    if (!body) co_return refusal(body.error());
    const Marks marks = marks_of(*body);
    if (marks.requests && marks.input_file_id) {
        co_return refusal(ErrorObject{.status = 400,
                                      .type = "invalid_request_error",
                                      .message = "A batch has requests or an input_file_id, not both.",
                                      .param = "requests"});
    }
    const SharedHandlers& dialect = marks.requests ? parts_.sail : parts_.openai;
    co_return co_await dialect.create_batch(request, std::move(spool));
}

const http::Handler& V1Routes::list_for(const http::Request& request) const {
    if (request.parameter("after_id") || request.parameter("before_id")) return parts_.sail.list_batches;
    if (request.parameter("after") || is_openai_sdk(request)) return parts_.openai.list_batches;
    return parts_.list == SharedList::sail ? parts_.sail.list_batches : parts_.openai.list_batches;
}

async::Task<http::Response> V1Routes::answer_for_batch(http::Request& request,
                                                       http::Handler SharedHandlers::* handler) {
    const SharedHandlers& dialect = co_await is_sails(request) ? parts_.sail : parts_.openai;
    co_return co_await (dialect.*handler)(request);
}

async::Task<http::Response> V1Routes::answer_for_item(http::Request& request) {
    const bool sails = co_await is_sails(request);
    co_return co_await (sails ? parts_.sail.retrieve_item : parts_.openai.under_v1.not_found)(request);
}

async::Task<Result<service::Caller>> V1Routes::identify(const http::Request& request) {
    const auto key = find_key(request.headers, KeyHeader::authorization);
    co_return co_await parts_.accounts->authenticate(key.value_or(""));
}

async::Task<bool> V1Routes::is_sails(const http::Request& request) {
    const auto id = parse_any_batch_id(request.path_parameters.at(0), parts_.batch_ids);
    if (!id) co_return false;
    const auto caller = co_await identify(request);
    if (!caller) co_return false;
    const auto batch = co_await parts_.batches->find(caller->account, *id);
    co_return batch && batch->dialect == kSail;
}

const SharedHandlers& V1Routes::models_for(const http::Request& request) const {
    return request.headers.find("anthropic-version") ? parts_.anthropic : parts_.openai;
}

}  // namespace sheaf::dialect
