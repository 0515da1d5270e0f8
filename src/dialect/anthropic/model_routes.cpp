#include "dialect/anthropic/model_routes.h"

#include <algorithm>
#include <span>

#include "dialect/anthropic/pages.h"

namespace sheaf::dialect::anthropic {
namespace {

void write_model(jsonl::Writer& json, std::string_view name) {
    json.open_object().member("type", "model").member("id", name).member("display_name", name);
    // The vendor's own value where it is not known.
    json.member("created_at", to_time(Timestamp{})).member("lifecycle", "active");
    for (const std::string_view unknown :
         {"deprecated_at", "retires_at", "line", "max_input_tokens", "max_tokens", "capabilities"})
        json.member_null(unknown);
    json.close_object();
}

struct ModelPage {
    std::span<const std::string> names;
    bool has_more = false;
};

// The rows strictly between the cursors, next to `after_id` unless there is only `before_id`. An unknown
// cursor has nothing beside it.
ModelPage cut_page(std::span<const std::string> names, const PageRequest& asked) {
    auto first = names.begin();
    auto last = names.end();
    if (!asked.after_id.empty()) {
        first = std::ranges::find(names, asked.after_id);
        if (first == names.end()) return {};
        ++first;
    }
    if (!asked.before_id.empty()) {
        last = std::ranges::find(names, asked.before_id);
        if (last == names.end()) return {};
    }
    if (first >= last) return {};
    const auto count = static_cast<std::size_t>(last - first);
    if (count <= asked.limit) return {{first, last}, false};
    const auto limit = static_cast<std::ptrdiff_t>(asked.limit);
    const bool is_backwards = asked.after_id.empty() && !asked.before_id.empty();
    return is_backwards ? ModelPage{{last - limit, last}, true} : ModelPage{{first, first + limit}, true};
}

}  // namespace

http::Handler ModelRoutes::list_handler(Gate& gate) {
    return gate.keyed([this](Call& call) { return list(call); });
}

http::Handler ModelRoutes::retrieve_handler(Gate& gate) {
    return gate.keyed([this](Call& call) { return retrieve(call); });
}

async::Task<Reply> ModelRoutes::list(Call& call) {
    const auto asked = read_page(call.request);
    if (!asked) co_return std::unexpected(asked.error());
    const std::vector<std::string> names = live_->models();
    const ModelPage page = cut_page(names, *asked);
    jsonl::Writer json;
    json.open_object().key("data").open_array();
    for (const std::string& name : page.names) write_model(json, name);
    json.close_array();
    const bool is_empty = page.names.empty();
    write_page_end(json, {.has_more = page.has_more,
                          .first_id = is_empty ? "" : page.names.front(),
                          .last_id = is_empty ? "" : page.names.back()});
    json.close_object();
    co_return json_response(json.take());
}

async::Task<Reply> ModelRoutes::retrieve(Call& call) {
    const std::string& name = call.request.path_parameters.at(0);
    if (!live_->knows_model(name)) co_return refuse(404, type::kNotFound, tell("model", name));
    jsonl::Writer json;
    write_model(json, name);
    co_return json_response(json.take());
}

}  // namespace sheaf::dialect::anthropic
