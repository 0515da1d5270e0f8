#include "dialect/sail/batch_routes.h"

#include <fmt/format.h>

#include "dialect/sail/batch_json.h"
#include "dialect/sail/words.h"
#include "http/syntax.h"

namespace sheaf::dialect::sail {
namespace {

constexpr std::uint32_t kListDefault = 25;
constexpr std::uint32_t kListMax = 200;

Checked<std::uint32_t> read_limit(const http::Request& request) {
    const auto text = request.parameter("limit");
    if (!text) return kListDefault;
    const auto number = http::parse_decimal(*text);
    if (number && *number >= 1 && *number <= kListMax) return static_cast<std::uint32_t>(*number);
    return refuse(code::kInvalidValue, "limit",
                  fmt::format("limit must be an integer from 1 to {}.", kListMax));
}

std::unexpected<ErrorObject> refuse_cursor(std::string_view name) {
    return refuse(code::kInvalidValue, std::string(name), fmt::format("{} is not the id of a batch.", name));
}

Checked<std::optional<BatchId>> read_cursor(const http::Request& request, std::string_view name) {
    const auto text = request.parameter(name);
    if (!text) return std::nullopt;
    const auto id = parse_batch_id(*text);
    if (!id) return refuse_cursor(name);
    return id;
}

Checked<store::CursorQuery> read_query(const Call& call) {
    const auto limit = read_limit(call.request);
    if (!limit) return std::unexpected(limit.error());
    const auto before = read_cursor(call.request, "before_id");
    if (!before) return std::unexpected(before.error());
    const auto after = read_cursor(call.request, "after_id");
    if (!after) return std::unexpected(after.error());
    return store::CursorQuery{.account = call.caller.account,
                              .dialect = std::string(kDialectName),
                              .older_than = *before,
                              .newer_than = *after,
                              .count = *limit};
}

bool is_ours(const core::Batch& batch) {
    return batch.dialect == kDialectName && batch.kind == core::BatchKind::batch;
}

bool has_already(const http::Request& request, const std::string& etag) {
    const auto known = request.headers.find("if-none-match");
    return known &&
           (*known == "*" || http::list_contains(*known, etag) || http::list_contains(*known, "W/" + etag));
}

}  // namespace

void BatchRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + "/batches";
    const std::string one = all + "/{batch_id}";
    router.add("POST", all, gate.keyed([this](Call& call) { return creator_.create(call); }));
    router.add("GET", all, gate.keyed([this](Call& call) { return list(call); }));
    router.add("GET", one, gate.keyed([this](Call& call) { return retrieve(call); }));
    router.add("POST", one + "/cancel", gate.keyed([this](Call& call) { return cancel(call); }));
    router.add("GET", one + "/{custom_id}", gate.keyed([this](Call& call) { return retrieve_item(call); }));
}

async::Task<Reply> BatchRoutes::create(Call& call, service::Spool spool) {
    return creator_.create_from(call, std::move(spool));
}

async::Task<Reply> BatchRoutes::list(Call& call) {
    auto query = read_query(call);
    if (!query) co_return std::unexpected(query.error());
    const std::string_view cursor = query->older_than ? "before_id" : "after_id";
    const auto page = co_await batches_->list_beside(std::move(*query));
    if (!page) co_return refuse(page.error());
    if (page->cursor_unknown) co_return refuse_cursor(cursor);
    co_return json_response(200, render_batches(page->rows));
}

async::Task<Checked<core::Batch>> BatchRoutes::find(Call& call) {
    const auto id = parse_batch_id(call.request.path_parameters.at(0));
    if (!id) co_return refuse_unknown();
    auto batch = co_await batches_->find(call.caller.account, *id);
    if (!batch) co_return refuse(batch.error());
    if (!is_ours(*batch)) co_return refuse_unknown();
    co_return std::move(*batch);
}

async::Task<Reply> BatchRoutes::retrieve(Call& call) {
    const auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    const std::string etag = maps_.etag_of(*batch);
    if (!has_already(call.request, etag)) co_return co_await show(*batch);
    http::Response unchanged;
    unchanged.status = 304;
    unchanged.headers.add("ETag", etag);
    co_return unchanged;
}

async::Task<Reply> BatchRoutes::show(const core::Batch& batch) {
    auto map = co_await maps_.read(batch);
    if (!map) co_return std::unexpected(map.error());
    http::Response response = json_response(200, *map->text);
    response.headers.add("ETag", map->etag);
    co_return response;
}

async::Task<Reply> BatchRoutes::retrieve_item(Call& call) {
    const auto id = parse_batch_id(call.request.path_parameters.at(0));
    if (!id) co_return refuse_unknown();
    auto found = co_await batches_->find_named(call.caller.account, *id, call.request.path_parameters.at(1));
    if (!found) co_return refuse(found.error());
    if (!is_ours(found->batch)) co_return refuse_unknown();
    const auto stored = co_await read_stored(*batches_, std::move(*found));
    if (!stored) co_return std::unexpected(stored.error());
    co_return json_response(200,
                            render_item(stored->found.batch, stored->found.item, stored->body, stored->line));
}

async::Task<Reply> BatchRoutes::cancel(Call& call) {
    const auto before = co_await find(call);
    if (!before) co_return std::unexpected(before.error());
    const auto canceled = co_await batches_->abort(call.caller.account, before->id);
    if (canceled) co_return co_await show(*canceled);
    if (canceled.error().code != ErrorCode::conflict) co_return refuse(canceled.error());
    // It has ended, which is all that was asked for.
    const auto ended = co_await batches_->find(call.caller.account, before->id);
    if (!ended) co_return refuse(ended.error());
    co_return co_await show(*ended);
}

async::Task<Checked<StoredItem>> read_stored(service::Batches& batches, store::ItemOfBatch found) {
    StoredItem stored{.found = std::move(found), .body = {}, .line = {}};
    const core::ItemHead& item = stored.found.item;
    auto body = co_await batches.read_item_body(item.id);
    if (!body) co_return refuse(body.error());
    stored.body = std::move(*body);
    if (core::has_result(item.state)) {
        auto line = co_await batches.read_line(item.id);
        if (!line) co_return refuse(line.error());
        stored.line = std::move(*line);
    }
    co_return stored;
}

}  // namespace sheaf::dialect::sail
