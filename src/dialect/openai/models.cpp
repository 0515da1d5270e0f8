#include "dialect/openai/models.h"

#include <fmt/format.h>

#include "dialect/openai/paging.h"
#include "jsonl/writer.h"

namespace sheaf::dialect::openai {
namespace {

void write_model(jsonl::Writer& json, std::string_view name, Timestamp created) {
    json.open_object().member("id", name).member("object", "model");
    json.member("created", unix_seconds(created)).member("owned_by", "sheaf").close_object();
}

}  // namespace

void ModelRoutes::add_to(SharedHandlers& handlers) {
    handlers.list_models = gate_->keyed([this](Call&) { return list(); });
    handlers.retrieve_model = gate_->keyed([this](Call& call) { return retrieve(call); });
}

async::Task<Reply> ModelRoutes::list() {
    jsonl::Writer json;
    json.open_object().member("object", "list").key("data").open_array();
    for (const std::string& name : live_->models()) write_model(json, name, created_);
    json.close_array().close_object();
    co_return json_response(json.take());
}

async::Task<Reply> ModelRoutes::retrieve(Call& call) {
    if (!live_->knows_model(call.name())) co_return refuse_model(call.name());
    jsonl::Writer json;
    write_model(json, call.name(), created_);
    co_return json_response(json.take());
}

std::unexpected<Problem> refuse_model(std::string_view name) {
    return refuse(404, fmt::format("The model '{}' does not exist.", name.substr(0, 128)), "model",
                  code::kModelNotFound);
}

}  // namespace sheaf::dialect::openai
