#include <fmt/format.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/batch_draft.h"
#include "store/sqlite/batch_records.h"
#include "store/sqlite/plan_chunks.h"
#include "store/sqlite/spool.h"
#include "store/sqlite/sqlite_batches.h"
#include "store/sqlite/sqlite_outbox.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

std::vector<std::uint32_t> checksums_of(const std::vector<ItemDraft>& items, std::string_view body) {
    std::vector<std::uint32_t> checksums;
    checksums.reserve(items.size());
    for (const ItemDraft& item : items)
        checksums.push_back(crc32c(body.substr(item.body_offset, item.body_bytes)));
    return checksums;
}

// Gives the spooled body its name for good. Its name in the spool stays until the commit: should we die
// before, open() finds it there.
Result<> keep_body_file(Engine& engine, FileSpool& spool, const BatchId& id) {
    if (const auto synced = engine.disk->sync(spool.fd(), "a body"); !synced) return synced;
    const auto debt = engine.paths.spooled_body(id);
    if (const auto renamed = rename_file(spool.path(), debt, "a body"); !renamed) return renamed;
    spool.moved();
    auto linked = engine.disk->link(debt, engine.paths.body(id));
    if (linked) linked = engine.disk->sync_directory(engine.paths.bodies());
    return linked;
}

void forget_body_file(Engine& engine, const BatchId& id) {
    // After a failed sync nobody knows whether the batch is there: open() will.
    if (!engine.disk->usable()) return;
    (void)engine.disk->remove(engine.paths.body(id));
    (void)engine.disk->remove(engine.paths.spooled_body(id));
}

Result<> replace_idempotent(Tx& tx, const IdempotencyRecord& record) {
    const auto added = tx.db.run(sql::kReplaceIdempotent, record.account.name, record.scope, record.key,
                                 record.request_hash, record.status, record.response, record.expires_at);
    if (!added) return std::unexpected(added.error());
    return {};
}

Result<> check_active(Tx& tx, const BatchDraft& draft) {
    if (draft.active_max == 0 || draft.batch.kind != core::BatchKind::batch) return {};
    auto rows = tx.db.query(sql::kCountActive, draft.batch.account.name, draft.batch.dialect);
    if (!rows) return std::unexpected(rows.error());
    if (const auto more = rows->next(); !more) return std::unexpected(more.error());
    if (rows->number(0) < draft.active_max) return {};
    return fail(ErrorCode::exhausted, fmt::format("{} batches are active already", rows->number(0)));
}

Result<> insert_items(Tx& tx, const BatchRow& row, const BatchDraft& draft,
                      const std::vector<std::uint32_t>& checksums) {
    for (std::uint32_t at = 0; at < draft.items.size(); ++at) {
        const ItemDraft& item = draft.items[at];
        const std::optional<std::int64_t> about = subject_key(row.batch.account, item.subject);
        const auto subject = about ? std::optional<std::string_view>(item.subject.text) : std::nullopt;
        std::optional<std::int64_t> name;
        if (draft.items_named && item.custom_id) name = name_key(row.batch.id, *item.custom_id);
        const auto added = tx.db.run(sql::kInsertItem, row.key(at), item.body_offset, item.body_bytes,
                                     checksums[at], item.custom_id, subject, about, name);
        if (!added) return std::unexpected(added.error());
    }
    return {};
}

// What is worked out before the transaction.
struct Prepared {
    std::vector<std::uint32_t> checksums;  // of the items
    std::string head;                      // the contents of its record
};

Prepared prepare(const BatchDraft& draft, std::string_view body) {
    Prepared prepared{checksums_of(draft.items, body), {}};
    ContentsPacker contents(first_state(draft), draft.items_named, draft.items.size());
    for (std::size_t at = 0; at < draft.items.size(); ++at) {
        const ItemDraft& item = draft.items[at];
        contents.add(item.custom_id, item.subject.text,
                     {item.body_offset, item.body_bytes, prepared.checksums[at]});
    }
    prepared.head = contents.take();
    return prepared;
}

Result<core::Batch> insert_batch(Tx& tx, const BatchDraft& draft, FileSpool& spool, std::string_view body,
                                 const Prepared& prepared) {
    if (const auto allowed = check_active(tx, draft); !allowed) return std::unexpected(allowed.error());
    if (draft.idempotency) {
        const auto noted = draft.idempotency_replaces ? replace_idempotent(tx, *draft.idempotency)
                                                      : insert_idempotent(tx, *draft.idempotency);
        if (!noted) return std::unexpected(noted.error());
    }
    BatchRow row;
    row.batch = first_state(draft);
    if (!draft.plan.empty()) row.plan_next = 0;
    const core::Batch& batch = row.batch;
    const auto added =
        tx.db.run(sql::kInsertBatch, IdBytes(batch.id), batch.account.name, batch.dialect, batch.kind,
                  batch.model, batch.tag, batch.counts.queued, batch.created_at, batch.expires_at,
                  batch.purge_at, body.size(), batch.keep_for.count(), batch.archive_at, batch.state,
                  batch.end_reason, batch.ended_at, batch.results_bytes, batch.item_events, row.plan_next);
    if (!added) return std::unexpected(added.error());
    row.row = tx.db.last_insert_row();
    row.body_bytes = body.size();
    if (!spool.in_file()) {
        const Place place = tx.bodies.append({row.row, kWholeBody}, body);
        row.body_segment = place.segment;
        row.body_start = place.start;
    }
    const auto placed = tx.db.run(sql::kPlaceBody, row.row, row.key(0), row.body_segment, row.body_start);
    if (!placed) return std::unexpected(placed.error());
    const auto shared = tx.db.run(sql::kInsertShared, row.row, batch.shared);
    if (!shared) return std::unexpected(shared.error());
    const auto items = insert_items(tx, row, draft, prepared.checksums);
    if (!items) return std::unexpected(items.error());
    if (const auto planned = insert_plan(tx, row, draft.plan); !planned)
        return std::unexpected(planned.error());
    if (const auto kept = keep_head(tx, row, prepared.head); !kept) return std::unexpected(kept.error());
    if (is_rejected(batch)) {
        if (const auto told = note_batch_ended(tx, batch); !told) return std::unexpected(told.error());
    }
    tx.inserted(row);
    return batch;
}

}  // namespace

Result<std::unique_ptr<BodySpool>> SqliteBatches::new_body() {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    return std::make_unique<FileSpool>(*engine_->disk, engine_->paths.spool() / fmt::format("{}", ++spools_));
}

Result<std::unique_ptr<BodySpool>> SqliteBatches::body_of(const Descriptor& file, std::uint64_t bytes) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    auto spool =
        std::make_unique<FileSpool>(*engine_->disk, engine_->paths.spool() / fmt::format("{}", ++spools_));
    if (const auto shared = spool->share(file.fd(), bytes); !shared) return std::unexpected(shared.error());
    return spool;
}

Result<core::Batch> SqliteBatches::create(BatchDraft draft, std::unique_ptr<BodySpool> body) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    auto* const spool = dynamic_cast<FileSpool*>(body.get());
    CHECK(spool != nullptr, "a body comes from new_body() of the same store");
    const auto bytes = spool->bytes();
    if (!bytes) return std::unexpected(bytes.error());
    if (const auto sound = check_draft(draft, bytes->size()); !sound) return std::unexpected(sound.error());
    const Prepared prepared = prepare(draft, *bytes);

    const BatchId id = draft.batch.id;
    if (spool->in_file()) {
        // Ids are random, but a body must never take another's place.
        const BatchLocks::Held held(engine_->locks, id);
        const auto there = engine_->writer.run([&](Tx& tx) { return tx.find_batch(id); });
        if (!there) return std::unexpected(there.error());
        if (*there) return fail(ErrorCode::conflict, "a batch of this id is there already");
        if (const auto kept = keep_body_file(*engine_, *spool, id); !kept) {
            forget_body_file(*engine_, id);
            return std::unexpected(kept.error());
        }
    }
    auto created =
        engine_->writer.run([&](Tx& tx) { return insert_batch(tx, draft, *spool, *bytes, prepared); });
    if (!spool->in_file()) return created;
    if (created) {
        (void)engine_->disk->remove(engine_->paths.spooled_body(id));
    } else {
        forget_body_file(*engine_, id);
    }
    return created;
}

Result<> insert_idempotent(Tx& tx, const IdempotencyRecord& record) {
    const auto added = tx.db.run(sql::kInsertIdempotent, record.account.name, record.scope, record.key,
                                 record.request_hash, record.status, record.response, record.expires_at);
    if (!added) return std::unexpected(added.error());
    if (*added == 0) return fail(ErrorCode::conflict, "the idempotency key was used before");
    return {};
}

Result<std::optional<IdempotencyRecord>> SqliteBatches::find_idempotent(const AccountId& account,
                                                                        std::string_view scope,
                                                                        std::string_view key) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kFindIdempotent, account.name, scope, key);
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::nullopt;
    return IdempotencyRecord{account,          std::string(scope), std::string(key), rows->text(0),
                             rows->as<int>(1), rows->text(2),      rows->time(3)};
}

Result<> SqliteBatches::forget_old(Timestamp now) {
    const auto done = engine_->writer.run([&](Tx& tx) -> Result<int> {
        const auto forgotten = tx.db.run(sql::kForgetIdempotent, now);
        if (!forgotten) return forgotten;
        return tx.db.run(sql::kForgetPlaces, now - kBatchPlaceKept);
    });
    if (!done) return std::unexpected(done.error());
    return engine_->settle_what_was_put_off();
}

Result<> SqliteBatches::remember_idempotent(IdempotencyRecord record) {
    return engine_->writer.run([&](Tx& tx) { return insert_idempotent(tx, record); });
}

}  // namespace sheaf::store
