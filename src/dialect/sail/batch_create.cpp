#include "dialect/sail/batch_create.h"

#include "dialect/sail/batch_json.h"
#include "dialect/sail/webhook_events.h"
#include "dialect/sail/words.h"
#include "dialect/spooling.h"

namespace sheaf::dialect::sail {
namespace {

// Others get their turn after so much of a batch was checked.
constexpr std::size_t kCheckedAtOnce = 256 * 1024;

Reply replay(const store::IdempotencyRecord& record) {
    return json_response(record.status, record.response);
}

Checked<> check_encoding(const http::Request& request) {
    const auto encoding = request.headers.find("content-encoding");
    if (!encoding || encoding->empty() || *encoding == "identity") return {};
    auto problem = refuse(code::kInvalidValue, "Content-Encoding", "The body must be sent as it is.").error();
    problem.status = 415;
    return std::unexpected(std::move(problem));
}

}  // namespace

async::Task<Reply> BatchCreator::create(Call& call) {
    auto spool = co_await spool_body(call.request, *batches_, limits_.body_bytes_max);
    if (!spool) co_return refuse(spool.error());
    co_return co_await create_from(call, std::move(*spool));
}

async::Task<Reply> BatchCreator::create_from(Call& call, service::Spool spool) {
    if (auto encoding = check_encoding(call.request); !encoding) co_return std::unexpected(encoding.error());
    const auto body = co_await spool.bytes();
    if (!body) co_return refuse(body.error());
    auto repeatable = co_await read_repeatable(call, *body);
    if (!repeatable) co_return std::unexpected(repeatable.error());
    if (*repeatable) {
        const auto earlier = co_await find_earlier(*batches_, **repeatable);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier) co_return replay(**earlier);
    }
    auto request = co_await read_request(*body);
    if (!request) co_return std::unexpected(request.error());
    co_return co_await submit(call.caller.account, std::move(*request), *body, std::move(spool),
                              std::move(*repeatable));
}

async::Task<Checked<BatchRequest>> BatchCreator::read_request(std::string_view body) {
    BatchRequest request(body, limits_.items_max);
    const ParamsRules rules{.setting = Setting::batch, .knows_model = [this](std::string_view model) {
                                return live_->knows_model(model);
                            }};
    std::size_t checked = 0;
    while (true) {
        const auto more = request.read_next(rules);
        if (!more) co_return std::unexpected(more.error());
        if (!*more) co_return request;
        if (request.offset() - checked < kCheckedAtOnce) continue;
        checked = request.offset();
        co_await async::yield_to_others();
    }
}

async::Task<Reply> BatchCreator::submit(const AccountId& account, BatchRequest request, std::string_view body,
                                        service::Spool spool, std::optional<RepeatableCall> repeatable) {
    const Timestamp now = batches_->now();
    store::BatchDraft draft;
    draft.items_named = true;
    draft.batch.id = make_batch_id(now);
    draft.batch.account = account;
    draft.batch.dialect = kDialectName;
    draft.batch.tag = request.label();
    draft.batch.created_at = now;
    draft.batch.expires_at = core::kNever;
    draft.batch.purge_at = core::kNever;
    draft.batch.keep_for = batches_->limits().retention;
    draft.batch.counts.queued = static_cast<std::uint32_t>(request.items().size());
    for (BatchRequest::Item& item : request.items()) {
        if (completion_target(item.params)) draft.batch.item_events = core::ItemEvents::to_own_targets;
        draft.items.push_back({std::move(item.custom_id), core::Subject{},
                               static_cast<std::uint64_t>(item.params.data() - body.data()),
                               item.params.size()});
    }
    std::string created = render_batch(draft.batch);
    if (repeatable)
        draft.idempotency = repeatable->record(200, created, now + batches_->limits().idempotency_time);
    const auto batch = co_await batches_->submit(std::move(draft), std::move(spool));
    if (batch) co_return json_response(200, std::move(created));
    // Two calls under one key at once: the other one won.
    if (repeatable && batch.error().code == ErrorCode::conflict) {
        const auto earlier = co_await find_earlier(*batches_, *repeatable);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier) co_return replay(**earlier);
    }
    co_return refuse(batch.error());
}

}  // namespace sheaf::dialect::sail
