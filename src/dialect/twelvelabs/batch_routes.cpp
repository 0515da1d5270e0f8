#include "dialect/twelvelabs/batch_routes.h"

#include <fmt/format.h>

#include "dialect/results.h"
#include "dialect/twelvelabs/codec.h"
#include "dialect/twelvelabs/words.h"

namespace sheaf::dialect::twelvelabs {
namespace {

std::unexpected<Problem> refuse_value(std::string_view name, std::string_view value) {
    return refuse(400, code::kParameterInvalid,
                  fmt::format("{}: \"{}\" is not a known value.", name, value.substr(0, 64)),
                  std::string(name));
}

Checked<store::BatchQuery> read_query(const Call& call, const PageRequest& page) {
    store::BatchQuery query;
    query.account = call.account;
    query.dialect = kDialectName;
    query.page = page.range();
    for (const std::string& word : read_values(call.request, "status")) {
        const auto filter = parse_batch_status(word);
        if (!filter) return refuse_value("status", word);
        query.states.push_back(*filter);
    }
    for (const std::string& word : read_values(call.request, "analysis_mode")) {
        if (!parse_mode(word)) return refuse_value("analysis_mode", word);
        query.tags.push_back(word);
    }
    return query;
}

}  // namespace

void BatchRoutes::add_to(http::Router& router, Gate& gate) {
    const std::string all = std::string(kPrefix) + "/analyze/batches";
    const std::string one = all + "/{batch_id}";
    router.add("POST", all, gate.keyed([this](Call& call) { return creator_.create(call); }));
    router.add("GET", all, gate.keyed([this](Call& call) { return list(call); }));
    router.add("GET", one, gate.keyed([this](Call& call) { return retrieve(call); }));
    router.add("DELETE", one, gate.keyed([this](Call& call) { return remove(call); }));
    router.add("GET", one + "/results", gate.keyed([this](Call& call) { return results(call); }));
    router.add("POST", one + "/cancel", gate.keyed([this](Call& call) { return cancel(call); }));
}

async::Task<Reply> BatchRoutes::list(Call& call) {
    const auto page = read_page(call.request);
    if (!page) co_return std::unexpected(page.error());
    auto query = read_query(call, *page);
    if (!query) co_return std::unexpected(query.error());
    const auto found = co_await batches_->list(std::move(*query));
    if (!found) co_return refuse(found.error());
    const auto tellings = co_await find_tellings(found->rows);
    if (!tellings) co_return std::unexpected(tellings.error());
    co_return json_response(200, render_batch_list(*found, *tellings, *page));
}

async::Task<Checked<core::Batch>> BatchRoutes::find(Call& call) {
    const auto id = parse_batch_id(call.request.path_parameters.at(0));
    if (!id) co_return refuse_unknown();
    auto batch = co_await batches_->find(call.account, *id);
    if (!batch) co_return refuse(batch.error());
    if (batch->kind != core::BatchKind::batch || batch->dialect != kDialectName) co_return refuse_unknown();
    co_return std::move(*batch);
}

async::Task<Checked<std::vector<Tellings>>> BatchRoutes::find_tellings(
    const std::vector<core::Batch>& batches) {
    // Polls of batches that run do not go to the store.
    std::vector<store::Topic> topics;
    for (const core::Batch& batch : batches) {
        if (batch.state == core::BatchState::ended) topics.push_back({batch.id, std::nullopt});
    }
    auto found = co_await webhooks_->tellings(std::move(topics));
    if (!found) co_return refuse(found.error());
    std::vector<Tellings> all;
    auto next = found->begin();
    for (const core::Batch& batch : batches)
        all.push_back(batch.state == core::BatchState::ended ? std::move(*next++) : Tellings{});
    co_return all;
}

async::Task<Reply> BatchRoutes::retrieve(Call& call) {
    const auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    const auto tellings = co_await find_tellings({*batch});
    if (!tellings) co_return std::unexpected(tellings.error());
    co_return json_response(200, render_batch(*batch, tellings->front()));
}

async::Task<Reply> BatchRoutes::results(Call& call) {
    auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    auto results =
        co_await send_results(*batches_, std::move(*batch), {"application/jsonl", render_plain_line});
    if (!results) co_return refuse(results.error());
    co_return std::move(*results);
}

async::Task<Reply> BatchRoutes::cancel(Call& call) {
    const auto before = co_await find(call);
    if (!before) co_return std::unexpected(before.error());
    const auto batch = co_await batches_->cancel(call.account, before->id);
    // Where nothing ran it has ended in the same step, which the next look shows.
    if (batch) co_return json_response(202, render_canceling(*batch));
    if (batch.error().code != ErrorCode::conflict) co_return refuse(batch.error());
    const auto ended = co_await batches_->find(call.account, before->id);
    if (!ended) co_return refuse(ended.error());
    const std::string_view status = batch_status(ended->state, ended->end_reason);
    co_return refuse(409, fmt::format("batch_{}", status), fmt::format("The batch is {} already.", status));
}

async::Task<Reply> BatchRoutes::remove(Call& call) {
    const auto batch = co_await find(call);
    if (!batch) co_return std::unexpected(batch.error());
    const auto removed = co_await batches_->remove(call.account, batch->id);
    if (removed) co_return empty_response(204);
    if (removed.error().code == ErrorCode::conflict) {
        co_return refuse(409, code::kBatchNotTerminal, "The batch has not ended; cancel it first.");
    }
    co_return refuse(removed.error());
}

}  // namespace sheaf::dialect::twelvelabs
