#include "store/postgres/batch_row.h"

#include "base/check.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

Result<BatchRow> one_batch(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    if (!rows->next()) return fail(ErrorCode::not_found, "there is no such batch");
    return read_batch(*rows);
}

}  // namespace

BatchRow read_batch(const Rows& rows, int from) {
    int at = from;
    BatchRow row;
    core::Batch& batch = row.batch;
    row.number = rows.number(at++);
    batch.id = batch_id(rows.bytes(at++));
    batch.account.name = rows.text(at++);
    batch.dialect = rows.text(at++);
    batch.kind = rows.as<core::BatchKind>(at++);
    batch.model = rows.text(at++);
    batch.tag = rows.text(at++);
    batch.state = rows.as<core::BatchState>(at++);
    batch.end_reason = rows.as<core::EndReason>(at++);
    row.cursor = rows.as<std::uint32_t>(at++);
    batch.counts.queued = rows.as<std::uint32_t>(at++);
    batch.counts.running = rows.as<std::uint32_t>(at++);
    batch.counts.succeeded = rows.as<std::uint32_t>(at++);
    batch.counts.failed = rows.as<std::uint32_t>(at++);
    batch.counts.canceled = rows.as<std::uint32_t>(at++);
    batch.counts.expired = rows.as<std::uint32_t>(at++);
    batch.created_at = rows.time(at++);
    batch.expires_at = rows.time(at++);
    batch.purge_at = rows.time(at++);
    batch.ended_at = rows.time_or_null(at++);
    if (!rows.is_null(at)) batch.results_bytes = rows.as<std::uint64_t>(at);
    ++at;
    batch.shared = rows.text(at++);
    batch.usage.input_tokens = rows.as<std::uint64_t>(at++);
    batch.usage.output_tokens = rows.as<std::uint64_t>(at++);
    batch.usage.cached_tokens = rows.as<std::uint64_t>(at++);
    batch.usage.reasoning_tokens = rows.as<std::uint64_t>(at++);
    batch.keep_for = std::chrono::seconds{rows.number(at++)};
    batch.cancel_requested_at = rows.time_or_null(at++);
    batch.archive_at = rows.time_or_null(at++);
    batch.archived_at = rows.time_or_null(at++);
    batch.item_events = rows.as<core::ItemEvents>(at++);
    row.succeeded_first = rows.number(at++) != 0;
    row.leases_end_at = rows.time_or_null(at++);
    CHECK(at == from + sql::kBatchColumnCount, "every column was read");
    return row;
}

core::ItemHead read_item(const Rows& rows, const BatchId& batch, int from) {
    core::ItemHead head;
    head.id = batch.item(rows.as<std::uint32_t>(from));
    head.state = rows.as<core::ItemState>(from + 1);
    if (!rows.is_null(from + 2)) head.custom_id = rows.text(from + 2);
    head.subject.text = rows.text(from + 3);
    head.finished_at = rows.time_or_null(from + 4);
    return head;
}

Result<BatchRow> find_batch(Connection& db, const BatchId& id) {
    return one_batch(db.query(sql::kFindBatch, id_bytes(id)));
}

Result<BatchRow> hold_batch(Connection& db, const BatchId& id) {
    return one_batch(db.query(sql::kHoldBatch, id_bytes(id)));
}

void update_batch(Connection& db, const BatchRow& row) {
    const core::Batch& batch = row.batch;
    const core::Counts& counts = batch.counts;
    db.queue(sql::kUpdateBatch, row.number, batch.state, batch.end_reason, row.cursor, counts.queued,
             counts.running, counts.succeeded, counts.failed, counts.canceled, counts.expired, batch.ended_at,
             batch.results_bytes, batch.purge_at, batch.cancel_requested_at, batch.archived_at,
             batch.usage.input_tokens, batch.usage.output_tokens, batch.usage.cached_tokens,
             batch.usage.reasoning_tokens, row.succeeded_first, row.leases_end_at);
}

}  // namespace sheaf::store::postgres
