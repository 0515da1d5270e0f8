#include "dialect/anthropic/batch_routes.h"

#include <fmt/format.h>

#include "dialect/anthropic/anthropic.h"
#include "dialect/anthropic/batch_json.h"
#include "dialect/anthropic/codec.h"
#include "dialect/base_url.h"
#include "dialect/results.h"

namespace sheaf::dialect::anthropic {

void BatchRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all(kBatches);
    const std::string one = all + "/{message_batch_id}";
    router.add("POST", all, gate.keyed([this](Call& call) { return create(call); }));
    router.add("GET", all, gate.keyed([this](Call& call) { return list(call); }));
    router.add("GET", one, gate.keyed([this](Call& call) { return retrieve(call); }));
    router.add("DELETE", one, gate.keyed([this](Call& call) { return remove(call); }));
    router.add("POST", one + "/cancel", gate.keyed([this](Call& call) { return cancel(call); }));
    router.add("GET", one + "/results", gate.keyed([this](Call& call) { return results(call); }));
}

http::Response BatchRoutes::show(const Call& call, const core::Batch& batch) const {
    return json_response(render_batch(batch, base_url(call.request, public_url_)));
}

async::Task<Checked<core::Batch>> BatchRoutes::find(Call& call) {
    const auto id = parse_batch_id(call.request.path_parameters.at(0));
    if (!id) co_return refuse_unknown();
    auto batch = co_await batches_->find(call.caller.account, *id);
    if (!batch) co_return refuse(batch.error());
    if (batch->kind != core::BatchKind::batch || batch->dialect != kDialectName) co_return refuse_unknown();
    co_return std::move(*batch);
}

async::Task<Reply> BatchRoutes::create(Call& call) {
    const auto batch = co_await creator_.create(call);
    if (!batch) co_return std::unexpected(batch.error());
    co_return show(call, *batch);
}

async::Task<Reply> BatchRoutes::list(Call& call) {
    const auto asked = read_page(call.request);
    if (!asked) co_return std::unexpected(asked.error());
    store::CursorQuery query{.account = call.caller.account,
                             .dialect = std::string(kDialectName),
                             .older_than = parse_batch_id(asked->after_id),
                             .newer_than = parse_batch_id(asked->before_id),
                             .count = asked->limit};
    store::CursorPage page;
    // A cursor that is no id of ours is like one that nothing has: an empty page.
    if ((asked->after_id.empty() || query.older_than) && (asked->before_id.empty() || query.newer_than)) {
        auto found = co_await batches_->list_beside(std::move(query));
        if (!found) co_return refuse(found.error());
        page = std::move(*found);
    }
    co_return json_response(render_batch_list(page, base_url(call.request, public_url_)));
}

async::Task<Reply> BatchRoutes::retrieve(Call& call) {
    const auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    co_return show(call, *batch);
}

async::Task<Reply> BatchRoutes::results(Call& call) {
    auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    if (batch->state != core::BatchState::ended)
        co_return refuse("The batch has no results before its processing has ended.");
    if (batch->archived_at)
        co_return refuse(404, type::kNotFound, "The results of the batch are no longer available.");
    auto results =
        co_await send_results(*batches_, std::move(*batch), {"application/x-jsonl", render_unanswered_line});
    if (!results) co_return refuse(results.error());
    co_return std::move(*results);
}

async::Task<Reply> BatchRoutes::cancel(Call& call) {
    const auto before = co_await find(call);
    if (!before) co_return std::unexpected(before.error());
    const auto batch = co_await batches_->cancel(call.caller.account, before->id);
    // Where nothing ran it has ended in the same step, which the next look shows.
    if (batch) co_return json_response(render_canceling(*batch));
    if (batch.error().code != ErrorCode::conflict) co_return refuse(batch.error());
    const auto ended = co_await batches_->find(call.caller.account, before->id);
    if (!ended) co_return refuse(ended.error());
    // A client that repeats its call is not told that it failed.
    if (ended->cancel_requested_at) co_return show(call, *ended);
    co_return refuse("The batch cannot be canceled: its processing has ended.");
}

async::Task<Reply> BatchRoutes::remove(Call& call) {
    const auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    const auto removed = co_await batches_->remove(call.caller.account, batch->id);
    if (removed) co_return json_response(render_deleted(batch->id));
    if (removed.error().code != ErrorCode::conflict) co_return refuse(removed.error());
    co_return refuse("The batch cannot be deleted before its processing has ended; cancel it first.");
}

}  // namespace sheaf::dialect::anthropic
