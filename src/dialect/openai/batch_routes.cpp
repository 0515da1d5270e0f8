#include "dialect/openai/batch_routes.h"

#include <fmt/format.h>

#include "dialect/openai/batch_object.h"
#include "dialect/openai/ids.h"
#include "dialect/openai/paging.h"

namespace sheaf::dialect::openai {
namespace {

bool is_on_its_way_out(BatchStatus status) {
    return status == BatchStatus::cancelling || status == BatchStatus::cancelled;
}

std::unexpected<Problem> refuse_unknown(std::string_view name) {
    return refuse(404, fmt::format("No batch found with id '{}'.", name.substr(0, 128)));
}

std::unexpected<Problem> refuse_cancel(BatchStatus status) {
    return refuse(409, fmt::format("Cannot cancel a batch with status '{}'.", to_word(status)));
}

}  // namespace

void BatchRoutes::add_to(SharedHandlers& handlers) {
    handlers.create_batch = [this](http::Request& request, service::Spool body) {
        return create(request, std::move(body));
    };
    handlers.list_batches = gate_->keyed([this](Call& call) { return list(call); });
    handlers.retrieve_batch = gate_->keyed([this](Call& call) { return retrieve(call); });
    handlers.cancel_batch = gate_->keyed([this](Call& call) { return cancel(call); });
}

async::Task<http::Response> BatchRoutes::create(http::Request& request, service::Spool body) {
    const Gate::Endpoint endpoint = [this, &body](Call& call) { return creator_.create(call, body); };
    co_return co_await gate_->answer(request, endpoint);
}

async::Task<Checked<core::Batch>> BatchRoutes::find(Call& call) {
    const auto id = parse_batch_id(call.name());
    if (!id) co_return refuse_unknown(call.name());
    auto batch = co_await batches_->find(call.account, *id);
    if (!batch && batch.error().code == ErrorCode::not_found) co_return refuse_unknown(call.name());
    if (!batch) co_return refuse(batch.error());
    if (batch->dialect != kDialectName) co_return refuse_unknown(call.name());
    co_return std::move(*batch);
}

async::Task<Reply> BatchRoutes::list(Call& call) {
    const auto limit = read_limit(call.request, {.fallback = 20, .max = 100});
    if (!limit) co_return std::unexpected(limit.error());
    store::CursorQuery query;
    query.account = call.account;
    query.dialect = kDialectName;
    query.count = *limit;
    if (const auto after = call.request.parameter("after")) {
        query.older_than = parse_batch_id(*after);
        // Whatever no batch was ever called: there is nothing after it.
        if (!query.older_than) co_return json_response(render_list<core::Batch>({}, false, write_batch));
    }
    const auto page = co_await batches_->list_beside(std::move(query));
    if (!page) co_return refuse(page.error());
    co_return json_response(render_list(page->rows, page->has_more, write_batch));
}

async::Task<Reply> BatchRoutes::retrieve(Call& call) {
    const auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    co_return json_response(render_batch(*batch));
}

async::Task<Reply> BatchRoutes::cancel(Call& call) {
    auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    if (status_of(*batch) == BatchStatus::in_progress) {
        const auto canceled = co_await batches_->cancel(call.account, batch->id);
        if (canceled) co_return json_response(render_batch(*canceled));
        if (canceled.error().code != ErrorCode::conflict) co_return refuse(canceled.error());
        // It ended just now.
        batch = co_await find(call);
        if (!batch) co_return std::unexpected(batch.error());
    }
    const BatchStatus status = status_of(*batch);
    if (!is_on_its_way_out(status)) co_return refuse_cancel(status);
    co_return json_response(render_batch(*batch));
}

}  // namespace sheaf::dialect::openai
