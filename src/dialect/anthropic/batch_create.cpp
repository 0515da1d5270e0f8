#include "dialect/anthropic/batch_create.h"

#include <charconv>

#include <fmt/format.h>

#include "dialect/anthropic/anthropic.h"
#include "dialect/anthropic/batch_request.h"
#include "dialect/anthropic/body.h"
#include "dialect/anthropic/codec.h"
#include "dialect/spooling.h"

namespace sheaf::dialect::anthropic {
namespace {

// Others get their turn after so much of a batch was checked.
constexpr std::size_t kCheckedAtOnce = 256 * 1024;

std::string scope_of(const Call& call) {
    return fmt::format("POST {} {} {}", kBatches, call.caller.key_id, to_word(call.version));
}

// Whether the client says that it made this call before.
bool is_repeated(const http::Request& request) {
    const std::string_view text = request.headers.find("x-stainless-retry-count").value_or("");
    unsigned count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    return error == std::errc{} && end == text.data() + text.size() && count > 0;
}

}  // namespace

async::Task<Checked<core::Batch>> BatchCreator::create(Call& call) {
    if (auto plain = check_encoding(call.request); !plain) co_return std::unexpected(plain.error());
    auto spool = co_await spool_body(call.request, *parts_.batches, parts_.limits.batch_bytes_max);
    if (!spool) co_return refuse(spool.error());
    const auto body = co_await spool->bytes();
    if (!body) co_return refuse(body.error());
    std::string fingerprint = co_await fingerprint_of(*body);
    if (is_repeated(call.request)) {
        auto earlier = co_await find_earlier(call, fingerprint);
        if (!earlier) co_return std::unexpected(earlier.error());
        if (*earlier) co_return std::move(**earlier);
    }
    auto items = co_await read_items(*body);
    if (!items) co_return std::unexpected(items.error());
    auto batch = co_await parts_.batches->submit(make_draft(call, std::move(*items), std::move(fingerprint)),
                                                 std::move(*spool));
    if (!batch) co_return refuse(batch.error());
    co_return std::move(*batch);
}

async::Task<Checked<std::optional<core::Batch>>> BatchCreator::find_earlier(const Call& call,
                                                                            const std::string& fingerprint) {
    const auto record =
        co_await parts_.batches->find_idempotent(call.caller.account, scope_of(call), fingerprint);
    if (!record) co_return refuse(record.error());
    const auto id = *record ? parse_batch_id((*record)->response) : std::nullopt;
    if (!id) co_return std::nullopt;
    auto batch = co_await parts_.batches->find(call.caller.account, *id);
    if (batch) co_return std::move(*batch);
    if (batch.error().code == ErrorCode::not_found) co_return std::nullopt;
    co_return refuse(batch.error());
}

async::Task<Checked<std::vector<store::ItemDraft>>> BatchCreator::read_items(std::string_view body) {
    BatchRequest request(body, parts_.limits.batch_items_max);
    std::size_t yielded_at = 0;
    while (true) {
        const auto more = request.read_next();
        if (!more) co_return refuse(more.error());
        if (!*more) co_return request.take_items();
        if (request.offset() - yielded_at < kCheckedAtOnce) continue;
        yielded_at = request.offset();
        co_await async::yield_to_others();
    }
}

store::BatchDraft BatchCreator::make_draft(const Call& call, std::vector<store::ItemDraft> items,
                                           std::string fingerprint) const {
    const Timestamp now = parts_.batches->now();
    store::BatchDraft draft;
    draft.batch.id = make_batch_id(now);
    draft.batch.account = call.caller.account;
    draft.batch.dialect = kDialectName;
    draft.batch.shared =
        render_shared({.version = call.version, .refuses_sampling = parts_.refuses_sampling});
    draft.batch.created_at = now;
    draft.batch.expires_at = now + parts_.limits.batch_time;
    draft.batch.archive_at = now + parts_.limits.results_time;
    draft.batch.purge_at = now + parts_.limits.retention;
    draft.items = std::move(items);
    draft.idempotency = store::IdempotencyRecord{call.caller.account,
                                                 scope_of(call),
                                                 fingerprint,
                                                 fingerprint,
                                                 200,
                                                 batch_name(draft.batch.id),
                                                 now + parts_.limits.repeat_time};
    draft.idempotency_replaces = true;
    return draft;
}

}  // namespace sheaf::dialect::anthropic
