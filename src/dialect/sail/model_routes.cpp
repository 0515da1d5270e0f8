#include "dialect/sail/model_routes.h"

#include "dialect/sail/words.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::sail {
namespace {

void write_model(jsonl::Writer& json, std::string_view name, Timestamp since) {
    json.open_object().member("id", name).member("object", "model");
    json.member("created", unix_seconds(since)).member("owned_by", "sheaf").close_object();
}

}  // namespace

void ModelRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + "/models";
    router.add("GET", all, gate.keyed([this](Call&) { return list(); }));
    router.add("GET", all + "/{model}", gate.keyed([this](Call& call) { return retrieve(call); }));
}

async::Task<Reply> ModelRoutes::list() {
    jsonl::Writer json;
    json.open_object().member("object", "list").key("data").open_array();
    for (const std::string& name : live_->models()) write_model(json, name, since_);
    json.close_array().close_object();
    co_return json_response(200, json.take());
}

async::Task<Reply> ModelRoutes::retrieve(Call& call) {
    const std::string& name = call.request.path_parameters.at(0);
    if (!live_->knows_model(name))
        co_return std::unexpected(ErrorObject{.status = 404,
                                              .type = "not_found_error",
                                              .message = "There is no model of that name.",
                                              .code = std::string(code::kModelNotFound)});
    jsonl::Writer json;
    write_model(json, name, since_);
    co_return json_response(200, json.take());
}

}  // namespace sheaf::dialect::sail
