#include "service/batches.h"

#include <algorithm>

#include "service/plan.h"

namespace sheaf::service {
namespace {

constexpr std::uint32_t kLinesAtOnce = 512;
constexpr std::uint64_t kLineBytesAtOnce = std::uint64_t{1} << 20;
// How often a list is read again because batches on it were due. Each time ends at least one of them.
constexpr int kListTriesMax = 8;
constexpr int kCancelTriesMax = 4;

bool is_due(const core::Batch& batch, Timestamp now) {
    return batch.state != core::BatchState::ended && now >= batch.expires_at;
}

std::vector<BatchId> due_of(const std::vector<core::Batch>& rows, Timestamp now) {
    std::vector<BatchId> due;
    for (const core::Batch& batch : rows) {
        if (is_due(batch, now)) due.push_back(batch.id);
    }
    return due;
}

std::vector<BatchId> due_of(const std::vector<store::ItemOfBatch>& rows, Timestamp now) {
    std::vector<BatchId> due;
    for (const store::ItemOfBatch& row : rows) {
        if (is_due(row.batch, now) && std::ranges::find(due, row.batch.id) == due.end())
            due.push_back(row.batch.id);
    }
    return due;
}

// Ends those of `due` that nobody else ended meanwhile.
Result<> expire_all(store::Batches& store, const std::vector<BatchId>& due, Timestamp now) {
    for (const BatchId& id : due) {
        const auto applied = store.apply(id, core::BatchEvent::expired, now);
        if (applied || applied.error().code == ErrorCode::conflict ||
            applied.error().code == ErrorCode::not_found)
            continue;
        return std::unexpected(applied.error());
    }
    return {};
}

struct ListEnd {
    bool ended_some = false;
};

// A page on which nothing is due.
template <class Page, class Read>
Result<Page> list_without_due(store::Batches& store, Timestamp now, ListEnd& end, const Read& read) {
    auto page = read(store);
    for (int tries = 1; page && tries < kListTriesMax; ++tries) {
        const auto due = due_of(page->rows, now);
        if (due.empty()) break;
        if (const auto expired = expire_all(store, due, now); !expired)
            return std::unexpected(expired.error());
        end.ended_some = true;
        page = read(store);
    }
    return page;
}

}  // namespace

Spool::Spool(std::unique_ptr<store::BodySpool> body, async::Lane& lane)
    : body_(std::move(body)), lane_(&lane) {}

async::Task<Result<>> Spool::append(std::string_view bytes) {
    co_return co_await lane_->run([&] { return body_->append(bytes); });
}

async::Task<Result<std::string_view>> Spool::bytes() {
    co_return co_await lane_->run([&] { return body_->bytes(); });
}

Batches::Batches(async::Blocking<store::Batches> store, async::Lane& lane, const Clock& clock, Limits limits,
                 core::Codecs codecs, std::function<void()> wake)
    : store_(store),
      lane_(&lane),
      clock_(&clock),
      limits_(limits),
      codecs_(std::move(codecs)),
      wake_(std::move(wake)) {}

async::Task<Result<Spool>> Batches::new_body() {
    auto body = co_await store_([](store::Batches& store) { return store.new_body(); });
    if (!body) co_return std::unexpected(body.error());
    co_return Spool(std::move(*body), *lane_);
}

async::Task<Result<core::Batch>> Batches::submit(store::BatchDraft draft, Spool body) {
    core::Batch& batch = draft.batch;
    if (batch.id == BatchId{}) {
        batch.created_at = now();
        batch.id = make_batch_id(batch.created_at);
    }
    if (batch.expires_at == Timestamp{}) batch.expires_at = batch.created_at + limits_.batch_time;
    if (batch.purge_at == Timestamp{}) batch.purge_at = batch.created_at + limits_.retention;
    if (draft.idempotency && draft.idempotency->expires_at == Timestamp{}) {
        draft.idempotency->expires_at = batch.created_at + limits_.idempotency_time;
    }
    const auto codec = codecs_.find(batch.dialect);
    auto created = co_await store_([&](store::Batches& store) -> Result<core::Batch> {
        auto spool = body.take();
        if (codec != codecs_.end()) {
            const auto bytes = spool->bytes();
            if (!bytes) return std::unexpected(bytes.error());
            draft.plan = plan_of(draft, *bytes, *codec->second);
        }
        return store.create(std::move(draft), std::move(spool));
    });
    if (created) wake_();
    co_return created;
}

async::Task<Result<Spool>> Batches::body_of(SharedDescriptor file, std::uint64_t bytes) {
    auto body = co_await store_([&](store::Batches& store) { return store.body_of(*file, bytes); });
    if (!body) co_return std::unexpected(body.error());
    co_return Spool(std::move(*body), *lane_);
}

async::Task<Result<std::optional<store::IdempotencyRecord>>> Batches::find_idempotent(
    const AccountId& account, std::string scope, std::string key) {
    const Timestamp now = clock_->now();
    co_return co_await store_([&](store::Batches& store) -> Result<std::optional<store::IdempotencyRecord>> {
        auto found = store.find_idempotent(account, scope, key);
        if (!found || !*found || now < (*found)->expires_at) return found;
        // Else the key would still be taken when the call is made anew.
        if (const auto forgotten = store.forget_old(now); !forgotten)
            return std::unexpected(forgotten.error());
        return std::nullopt;
    });
}

async::Task<Result<core::Batch>> Batches::ended_if_due(core::Batch batch) {
    const Timestamp now = clock_->now();
    if (!is_due(batch, now)) co_return batch;
    auto ended = co_await store_([&](store::Batches& store) -> Result<core::Batch> {
        auto applied = store.apply(batch.id, core::BatchEvent::expired, now);
        if (!applied && applied.error().code == ErrorCode::conflict)
            return store.find(batch.account, batch.id);
        return applied;
    });
    if (ended) wake_();
    co_return ended;
}

async::Task<Result<core::Batch>> Batches::find(const AccountId& account, BatchId id) {
    if (auto cached = store_.now().cached(account, id)) co_return co_await ended_if_due(std::move(*cached));
    auto found = co_await store_([&](store::Batches& store) { return store.find(account, id); });
    if (!found) co_return found;
    co_return co_await ended_if_due(std::move(*found));
}

async::Task<Result<store::Page<core::Batch>>> Batches::list(store::BatchQuery query) {
    const Timestamp now = clock_->now();
    ListEnd end;
    auto page = co_await store_([&](store::Batches& store) {
        return list_without_due<store::Page<core::Batch>>(
            store, now, end, [&](store::Batches& from) { return from.list(query); });
    });
    if (end.ended_some) wake_();
    co_return page;
}

async::Task<Result<store::CursorPage>> Batches::list_beside(store::CursorQuery query) {
    const Timestamp now = clock_->now();
    ListEnd end;
    auto page = co_await store_([&](store::Batches& store) {
        return list_without_due<store::CursorPage>(
            store, now, end, [&](store::Batches& from) { return from.list_beside(query); });
    });
    if (end.ended_some) wake_();
    co_return page;
}

async::Task<Result<core::Batch>> Batches::cancel(const AccountId& account, BatchId id) {
    co_return co_await stop(account, id, core::BatchEvent::cancel_requested);
}

async::Task<Result<core::Batch>> Batches::abort(const AccountId& account, BatchId id) {
    co_return co_await stop(account, id, core::BatchEvent::abort_requested);
}

async::Task<Result<core::Batch>> Batches::stop(const AccountId& account, BatchId id, core::BatchEvent event) {
    auto batch = co_await find(account, id);
    for (int tries = 0; batch && tries < kCancelTriesMax; ++tries) {
        if (batch->state == core::BatchState::ended)
            co_return fail(ErrorCode::conflict, "The batch has ended.");
        const bool is_repeated =
            batch->state == core::BatchState::canceling && event == core::BatchEvent::cancel_requested;
        if (is_repeated) co_return batch;
        const Timestamp now = clock_->now();
        auto canceled = co_await store_([&](store::Batches& store) { return store.apply(id, event, now); });
        if (canceled) {
            wake_();
            co_return canceled;
        }
        if (canceled.error().code != ErrorCode::conflict) co_return canceled;
        batch = co_await store_([&](store::Batches& store) { return store.find(account, id); });
    }
    if (!batch) co_return batch;
    co_return fail(ErrorCode::unavailable, "The batch changes too quickly to be canceled; try again.");
}

async::Task<Result<>> Batches::remove(const AccountId& account, BatchId id) {
    const auto batch = co_await find(account, id);
    if (!batch) co_return std::unexpected(batch.error());
    if (batch->state != core::BatchState::ended)
        co_return fail(ErrorCode::conflict, "The batch has not ended.");
    co_return co_await store_([&](store::Batches& store) { return store.remove(id); });
}

async::Task<Result<store::ItemOfBatch>> Batches::find_item(const AccountId& account, ItemId id) {
    auto found = co_await store_([&](store::Batches& store) { return store.find_item(account, id); });
    if (!found || !is_due(found->batch, clock_->now())) co_return found;
    const auto ended = co_await ended_if_due(found->batch);
    if (!ended) co_return std::unexpected(ended.error());
    co_return co_await store_([&](store::Batches& store) { return store.find_item(account, id); });
}

async::Task<Result<store::ItemOfBatch>> Batches::find_named(const AccountId& account, BatchId id,
                                                            std::string custom_id) {
    const auto find = [&](store::Batches& store) { return store.find_named(account, id, custom_id); };
    auto found = co_await store_(find);
    if (!found || !is_due(found->batch, clock_->now())) co_return found;
    const auto ended = co_await ended_if_due(found->batch);
    if (!ended) co_return std::unexpected(ended.error());
    co_return co_await store_(find);
}

async::Task<Result<std::vector<core::ItemHead>>> Batches::read_heads(BatchId id, std::uint32_t first,
                                                                     std::uint32_t count_max) {
    co_return co_await store_([&](store::Batches& store) { return store.read_heads(id, first, count_max); });
}

async::Task<Result<std::string>> Batches::read_item_body(ItemId id) {
    co_return co_await store_([&](store::Batches& store) { return store.read_item_body(id); });
}

async::Task<Result<store::Page<store::ItemOfBatch>>> Batches::list_items(store::ItemQuery query) {
    const Timestamp now = clock_->now();
    ListEnd end;
    auto page = co_await store_([&](store::Batches& store) {
        return list_without_due<store::Page<store::ItemOfBatch>>(
            store, now, end, [&](store::Batches& from) { return from.list_items(query); });
    });
    if (end.ended_some) wake_();
    co_return page;
}

async::Task<Result<std::optional<std::string>>> Batches::read_line(ItemId id) {
    auto lines = co_await store_(
        [&](store::Batches& store) { return store.read_lines(id.batch, id.ordinal, 1, kLineBytesAtOnce); });
    if (!lines) co_return std::unexpected(lines.error());
    if (lines->empty() || lines->front().item.id != id)
        co_return fail(ErrorCode::not_found, "There is no such item.");
    const core::ItemState state = lines->front().item.state;
    if (state != core::ItemState::succeeded && state != core::ItemState::failed) co_return std::nullopt;
    co_return std::move(lines->front().line);
}

async::Task<Result<std::vector<store::ItemLine>>> Batches::read_lines(BatchId id, std::uint32_t first) {
    co_return co_await store_(
        [&](store::Batches& store) { return store.read_lines(id, first, kLinesAtOnce, kLineBytesAtOnce); });
}

async::Task<Result<store::EndedItems>> Batches::read_ended(BatchId id, std::uint32_t after) {
    co_return co_await store_(
        [&](store::Batches& store) { return store.read_ended(id, after, kLinesAtOnce, kLineBytesAtOnce); });
}

async::Task<Result<std::vector<LineHash>>> Batches::hash_lines(
    BatchId id, std::uint32_t first, const std::function<std::string(const core::ItemHead&)>& line_of_unrun) {
    co_return co_await store_([&](store::Batches& store) -> Result<std::vector<LineHash>> {
        auto lines = store.read_lines(id, first, kLinesAtOnce, kLineBytesAtOnce);
        if (!lines) return std::unexpected(lines.error());
        std::vector<LineHash> hashes;
        for (store::ItemLine& each : *lines) {
            const std::string text = each.line ? std::move(*each.line) : line_of_unrun(each.item);
            hashes.push_back(
                {std::move(each.item), sha256(std::string_view(text).substr(0, text.find('\n')))});
        }
        return hashes;
    });
}

async::Task<Result<std::optional<store::ResultsFile>>> Batches::open_results(const core::Batch& batch) {
    if (!batch.results_bytes) co_return std::nullopt;
    const BatchId id = batch.id;
    const auto file = co_await store_([&](store::Batches& store) { return store.open_results(id); });
    if (!file) co_return std::unexpected(file.error());
    co_return *file;
}

}  // namespace sheaf::service
