#include <fmt/format.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/batch_draft.h"
#include "store/postgres/postgres_batches.h"
#include "store/postgres/postgres_outbox.h"
#include "store/postgres/spool.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

constexpr std::size_t kCopiedAtOnce = std::size_t{256} << 10;

// The item at a place of the plan.
void append_item(CopyRows& rows, std::int64_t number, const BatchDraft& draft, std::uint32_t position,
                 std::string_view body) {
    const core::Planned planned =
        draft.plan.empty() ? core::Planned{.ordinal = position} : draft.plan[position];
    const ItemDraft& item = draft.items[planned.ordinal];
    const std::string_view bytes = body.substr(item.body_offset, item.body_bytes);
    const auto about = subject_key(draft.batch.account, item.subject);
    rows.begin_row();
    rows.number(number);
    rows.number(static_cast<std::int32_t>(planned.ordinal));
    rows.number(static_cast<std::int32_t>(position));
    rows.number(static_cast<std::int64_t>(planned.prefix));
    rows.number(static_cast<std::int32_t>(bytes.size()));
    rows.number(static_cast<std::int64_t>(crc32c(bytes)));
    about ? rows.number(*about) : rows.null();
    draft.items_named&& item.custom_id ? rows.number(name_key(draft.batch.id, *item.custom_id)) : rows.null();
    item.custom_id ? rows.bytes(*item.custom_id) : rows.null();
    about ? rows.bytes(item.subject.text) : rows.null();
    rows.bytes(bytes);
}

Result<> copy_items(Connection& db, std::int64_t number, const BatchDraft& draft, std::string_view body) {
    if (draft.items.empty()) return {};
    CopyRows rows(sql::kCopyItemsColumns);
    std::uint32_t at = 0;
    bool ended = false;
    return db.copy(sql::kCopyItems, [&]() -> std::string {
        while (at < draft.items.size() && rows.size() < kCopiedAtOnce)
            append_item(rows, number, draft, at++, body);
        if (at == draft.items.size() && !std::exchange(ended, true)) rows.end();
        return rows.take();
    });
}

Result<> check_active(Connection& db, const BatchDraft& draft) {
    auto rows = db.query(sql::kCountActive, Text{draft.batch.account.name}, Text{draft.batch.dialect});
    if (!rows) return std::unexpected(rows.error());
    (void)rows->next();
    if (rows->number(0) < draft.active_max) return {};
    return fail(ErrorCode::exhausted, fmt::format("{} batches are active already", rows->number(0)));
}

Result<> replace_idempotent(Connection& db, const IdempotencyRecord& record) {
    const auto kept = db.run(sql::kReplaceIdempotent, Text{record.account.name}, record.scope, record.key,
                             record.request_hash, record.status, record.response, record.expires_at);
    if (!kept) return std::unexpected(kept.error());
    return {};
}

Result<> insert_row(Connection& db, std::int64_t number, const core::Batch& batch) {
    const auto added =
        db.run(sql::kInsertBatch, number, id_bytes(batch.id), Text{batch.account.name}, Text{batch.dialect},
               batch.kind, batch.model, batch.tag, batch.state, batch.end_reason, batch.counts.queued,
               batch.created_at, batch.expires_at, batch.purge_at, batch.ended_at, batch.results_bytes,
               batch.keep_for.count(), batch.archive_at, batch.item_events);
    if (!added) return std::unexpected(added.error());
    if (*added == 0) return fail(ErrorCode::conflict, "a batch of this id is there already");
    return {};
}

Result<core::Batch> insert_batch(Engine& engine, Connection& db, const BatchDraft& draft,
                                 std::string_view body) {
    const bool is_limited = draft.active_max > 0 && draft.batch.kind == core::BatchKind::batch;
    core::Batch batch = first_state(draft);
    // First what refuses soon, and once more when nobody of the account can come between.
    if (is_limited) {
        if (const auto allowed = check_active(db, draft); !allowed) return std::unexpected(allowed.error());
    }
    if (draft.idempotency) {
        const auto noted = draft.idempotency_replaces ? replace_idempotent(db, *draft.idempotency)
                                                      : insert_idempotent(db, *draft.idempotency);
        if (!noted) return std::unexpected(noted.error());
    }
    auto next = db.query(sql::kNextBatch);
    if (!next) return std::unexpected(next.error());
    (void)next->next();
    const std::int64_t number = next->number(0);
    if (const auto copied = copy_items(db, number, draft, body); !copied)
        return std::unexpected(copied.error());
    if (is_limited) {
        db.queue(sql::kLockAccount, key_of("sheaf account " + batch.account.name));
        if (const auto allowed = check_active(db, draft); !allowed) return std::unexpected(allowed.error());
    }
    if (const auto added = insert_row(db, number, batch); !added) return std::unexpected(added.error());
    db.queue(sql::kInsertShared, number, batch.shared);
    if (is_rejected(batch)) note_batch_ended(db, batch);
    engine.tell_changed(db);
    return batch;
}

}  // namespace

Result<std::unique_ptr<BodySpool>> PostgresBatches::new_body() {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    return std::make_unique<TemporarySpool>(*engine_);
}

Result<std::unique_ptr<BodySpool>> PostgresBatches::body_of(const Descriptor& file, std::uint64_t bytes) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    auto spool = std::make_unique<TemporarySpool>(*engine_);
    if (const auto shared = spool->share(file.fd(), bytes); !shared) return std::unexpected(shared.error());
    return spool;
}

Result<core::Batch> PostgresBatches::create(BatchDraft draft, std::unique_ptr<BodySpool> body) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    CHECK(dynamic_cast<TemporarySpool*>(body.get()) != nullptr,
          "a body comes from new_body() of the same store");
    const auto bytes = body->bytes();
    if (!bytes) return std::unexpected(bytes.error());
    if (const auto sound = check_draft(draft, bytes->size()); !sound) return std::unexpected(sound.error());
    return engine_->pool.write([&](Connection& db) { return insert_batch(*engine_, db, draft, *bytes); });
}

Result<> insert_idempotent(Connection& db, const IdempotencyRecord& record) {
    const auto added = db.run(sql::kInsertIdempotent, Text{record.account.name}, record.scope, record.key,
                              record.request_hash, record.status, record.response, record.expires_at);
    if (!added) return std::unexpected(added.error());
    if (*added == 0) return fail(ErrorCode::conflict, "the idempotency key was used before");
    return {};
}

Result<std::optional<IdempotencyRecord>> PostgresBatches::find_idempotent(const AccountId& account,
                                                                          std::string_view scope,
                                                                          std::string_view key) {
    return engine_->pool.read([&](Connection& db) -> Result<std::optional<IdempotencyRecord>> {
        auto rows = db.query(sql::kFindIdempotent, Text{account.name}, scope, key);
        if (!rows) return std::unexpected(rows.error());
        if (!rows->next()) return std::nullopt;
        return IdempotencyRecord{account,          std::string(scope), std::string(key), rows->text(0),
                                 rows->as<int>(1), rows->text(2),      rows->time(3)};
    });
}

Result<> PostgresBatches::forget_old(Timestamp now) {
    return engine_->pool.write(
        [&](Connection& db) -> Result<> {
            db.queue(sql::kForgetIdempotent, now);
            db.queue(sql::kForgetPlaces, now - kBatchPlaceKept);
            return {};
        },
        Durability::lazy);
}

Result<> PostgresBatches::remember_idempotent(IdempotencyRecord record) {
    return engine_->pool.write([&](Connection& db) { return insert_idempotent(db, record); });
}

}  // namespace sheaf::store::postgres
