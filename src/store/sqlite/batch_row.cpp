#include "store/sqlite/batch_row.h"

#include "base/check.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {

BatchRow read_batch(const Rows& rows, int from) {
    int at = from;
    BatchRow row;
    core::Batch& batch = row.batch;
    row.row = rows.number(at++);
    const RawId id = raw_id(rows.bytes(at++));
    batch.id = {id.seconds, id.random};
    batch.account.name = rows.text(at++);
    batch.dialect = rows.text(at++);
    batch.kind = rows.as<core::BatchKind>(at++);
    batch.model = rows.text(at++);
    batch.tag = rows.text(at++);
    batch.state = rows.as<core::BatchState>(at++);
    batch.end_reason = rows.as<core::EndReason>(at++);
    row.cursor = rows.as<std::uint32_t>(at++) & ((1U << 20) - 1);
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
    if (!rows.is_null(at)) row.body_segment = rows.number(at);
    ++at;
    row.body_start = rows.as<std::uint64_t>(at++);
    row.body_bytes = rows.as<std::uint64_t>(at++);
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
    if (!rows.is_null(at)) row.plan_next = rows.as<std::uint32_t>(at);
    ++at;
    return row;
}

ItemRow read_item(const Rows& rows, const BatchId& batch, int from) {
    int at = from;
    ItemRow row;
    row.head.id = batch.item(ordinal_of(rows.number(at++)));
    row.head.state = rows.as<core::ItemState>(at++);
    row.body_offset = rows.as<std::uint64_t>(at++);
    row.body_bytes = rows.as<std::uint64_t>(at++);
    row.body_crc = rows.as<std::uint32_t>(at++);
    if (!rows.is_null(at)) row.head.custom_id = rows.text(at);
    ++at;
    row.head.subject.text = rows.text(at++);
    row.head.finished_at = rows.time_or_null(at++);
    if (!rows.is_null(at)) {
        row.line = Place{rows.number(at), rows.as<std::uint64_t>(at + 1), rows.as<std::uint64_t>(at + 2)};
    }
    row.input_tokens = rows.as<std::uint64_t>(at + 3);
    row.output_tokens = rows.as<std::uint64_t>(at + 4);
    return row;
}

Result<> each_batch(Connection& db, const std::function<Result<>(const BatchRow&)>& visit) {
    for (std::int64_t last = 0;;) {
        BatchRow row;
        {
            auto rows = db.query(sql::kNextBatch, last);
            if (!rows) return std::unexpected(rows.error());
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) return {};
            row = read_batch(*rows);
        }
        last = row.row;
        if (const auto visited = visit(row); !visited) return visited;
    }
}

Result<std::uint64_t> count_batches(Connection& db) {
    auto rows = db.query(sql::kCountAllBatches);
    if (!rows) return std::unexpected(rows.error());
    if (const auto more = rows->next(); !more) return std::unexpected(more.error());
    return rows->as<std::uint64_t>(0);
}

}  // namespace sheaf::store
