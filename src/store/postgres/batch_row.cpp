#include "store/postgres/batch_row.h"

#include <cstring>

#include "base/check.h"
#include "base/hash.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

std::int64_t key_of(const std::string& text) {
    const Sha256 hash = sha256(text);
    std::int64_t key = 0;
    std::memcpy(&key, hash.data(), sizeof key);
    return key;
}

Result<BatchRow> one_batch(Result<Rows> rows) {
    if (!rows) return std::unexpected(rows.error());
    if (!rows->next()) return fail(ErrorCode::not_found, "there is no such batch");
    return read_batch(*rows);
}

}  // namespace

std::string id_bytes(const RawId& id) {
    std::string bytes;
    append_number(bytes, id.seconds);
    append_number(bytes, (id.random << 20) | id.ordinal);
    return bytes;
}

RawId raw_id(std::string_view bytes) {
    CHECK(bytes.size() == 12, "a stored id has 12 bytes");
    RawId id;
    for (std::size_t at = 0; at < 4; ++at)
        id.seconds = (id.seconds << 8) | static_cast<unsigned char>(bytes[at]);
    std::uint64_t low = 0;
    for (std::size_t at = 4; at < 12; ++at) low = (low << 8) | static_cast<unsigned char>(bytes[at]);
    id.random = low >> 20;
    id.ordinal = static_cast<std::uint32_t>(low & 0xfffffU);
    return id;
}

BatchId batch_id(std::string_view bytes) {
    const RawId id = raw_id(bytes);
    return {id.seconds, id.random};
}

std::optional<std::int64_t> subject_key(const AccountId& account, const core::Subject& subject) {
    if (subject.text.empty()) return std::nullopt;
    return key_of(account.name + '\n' + subject.text);
}

std::int64_t name_key(const BatchId& batch, std::string_view custom_id) {
    return key_of(id_bytes(batch).append(custom_id));
}

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
