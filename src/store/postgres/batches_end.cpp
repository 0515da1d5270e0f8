#include "store/postgres/postgres_batches.h"
#include "store/postgres/postgres_outbox.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

Result<core::Batch> apply_event(Engine& engine, Connection& db, const BatchId& id, core::BatchEvent event,
                                Timestamp now) {
    auto held = hold_batch(db, id);
    if (!held) return std::unexpected(held.error());
    BatchRow& row = *held;
    const core::Transition* const transition = core::find_transition(row.batch.state, event);
    const bool drains_early = event == core::BatchEvent::drained && row.batch.counts.unfinished() > 0;
    if (transition == nullptr || drains_early)
        return fail(ErrorCode::conflict, "the batch is " + std::string(core::to_string(row.batch.state)));
    if (transition->queued_items_become && row.batch.counts.queued > 0) {
        db.queue(sql::kEndQueued, row.number, row.cursor, *transition->queued_items_become, now);
        row.cursor += row.batch.counts.queued;
    }
    if (transition->running_items_become) {
        db.queue(sql::kSplitClaimsOfBatch, row.number);
        db.queue(sql::kEndRunning, row.number, *transition->running_items_become, now);
        row.leases_end_at.reset();
    }
    row.batch = *core::after_event(std::move(row.batch), event, now);
    update_batch(db, row);
    if (row.batch.state == core::BatchState::ended) note_batch_ended(db, row.batch);
    engine.tell_changed(db);
    return row.batch;
}

// Of an ended batch: it has no leases.
void drop_contents(Engine& engine, Connection& db, const BatchRow& row, Timestamp now) {
    db.queue(sql::kDeleteItems, row.number);
    db.queue(sql::kDeleteResults, row.number);
    db.queue(sql::kDeleteEndedOrder, row.number);
    db.queue(sql::kRemoveFilesOfBatch, id_bytes(row.batch.id), now);
    engine.tell_gone(db, row.batch.id);
}

Result<BatchRow> hold_ended(Connection& db, const BatchId& id) {
    auto held = hold_batch(db, id);
    if (held && held->batch.state != core::BatchState::ended)
        return fail(ErrorCode::conflict, "the batch has not ended");
    return held;
}

}  // namespace

Result<core::Batch> PostgresBatches::apply(const BatchId& id, core::BatchEvent event, Timestamp now) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    return engine_->pool.write([&](Connection& db) { return apply_event(*engine_, db, id, event, now); });
}

Result<core::Batch> PostgresBatches::archive(const BatchId& id, Timestamp now) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    auto archived = engine_->pool.write([&](Connection& db) -> Result<core::Batch> {
        auto held = hold_ended(db, id);
        if (!held) return std::unexpected(held.error());
        BatchRow& row = *held;
        if (row.batch.archived_at) return row.batch;
        drop_contents(*engine_, db, row, now);
        row.batch.archived_at = now;
        row.batch.results_bytes = row.batch.results_bytes.value_or(0);
        update_batch(db, row);
        return row.batch;
    });
    if (archived) engine_->results.drop(id);
    return archived;
}

Result<> PostgresBatches::remove(const BatchId& id) {
    if (const auto ready = engine_->may_write_batches(); !ready) return ready;
    const auto removed = engine_->pool.write([&](Connection& db) -> Result<> {
        const auto held = hold_ended(db, id);
        if (!held) return std::unexpected(held.error());
        const core::Batch& batch = held->batch;
        drop_contents(*engine_, db, *held, batch.purge_at == core::kNever ? *batch.ended_at : batch.purge_at);
        db.queue(sql::kDeleteShared, held->number);
        db.queue(sql::kDeleteFactsOfBatch, id_bytes(id));
        if (batch.kind == core::BatchKind::batch) db.queue(sql::kKeepPlace, held->number);
        db.queue(sql::kDeleteBatch, held->number);
        return {};
    });
    if (removed) engine_->results.drop(id);
    return removed;
}

}  // namespace sheaf::store::postgres
