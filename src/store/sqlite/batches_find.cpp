#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store/sqlite/json_array.h"
#include "store/sqlite/sqlite_batches.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

Error no_batch() {
    return {ErrorCode::not_found, "there is no such batch", {}};
}

template <class... Args>
Result<std::vector<core::Batch>> batches_where(Engine& engine, const char* sql, const Args&... args) {
    auto snapshot = engine.readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql, args...);
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::Batch> batches;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return batches;
        batches.push_back(read_batch(*rows).batch);
    }
}

}  // namespace

Result<BatchRow> find_batch_row(Connection& db, const BatchId& id) {
    auto rows = db.query(sql::kFindBatch, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected(no_batch());
    return read_batch(*rows);
}

Result<core::Batch> SqliteBatches::find(const AccountId& account, const BatchId& id) {
    if (auto known = cached(account, id)) return std::move(*known);
    const std::uint64_t version = engine_->cache.version();
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto row = find_batch_row(snapshot->db(), id);
    if (!row) return std::unexpected(row.error());
    engine_->cache.put_if_still(version, *row);
    if (row->batch.account != account) return std::unexpected(no_batch());
    return std::move(row->batch);
}

std::optional<core::Batch> SqliteBatches::cached(const AccountId& account, const BatchId& id) {
    // Beside a server, others write too.
    if (!engine_->exclusive) return std::nullopt;
    auto row = engine_->cache.find(id);
    if (!row || row->batch.account != account) return std::nullopt;
    return std::move(row->batch);
}

Result<Page<core::Batch>> SqliteBatches::list(const BatchQuery& query) {
    std::optional<std::string> states;
    if (!query.states.empty()) {
        std::vector<int> numbers;
        for (const StateFilter& filter : query.states) {
            const auto reason =
                filter.state == core::BatchState::ended ? filter.reason : core::EndReason::none;
            numbers.push_back(static_cast<int>(filter.state) * 8 + static_cast<int>(reason));
        }
        states = fmt::format("[{}]", fmt::join(numbers, ","));
    }
    std::optional<std::string> tags;
    if (!query.tags.empty()) tags = json_array(query.tags);

    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    Page<core::Batch> page;
    auto counted = snapshot->db().query(sql::kCountBatches, query.account.name, query.dialect,
                                        core::BatchKind::batch, states, tags);
    if (!counted) return std::unexpected(counted.error());
    if (const auto more = counted->next(); !more) return std::unexpected(more.error());
    page.total = counted->as<std::uint64_t>(0);
    auto rows =
        snapshot->db().query(sql::kListBatches, query.account.name, query.dialect, core::BatchKind::batch,
                             states, tags, query.page.count, query.page.offset);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return page;
        page.rows.push_back(read_batch(*rows).batch);
    }
}

Result<CursorPage> SqliteBatches::list_beside(const CursorQuery& query) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    CursorPage page;
    const auto place_of = [&](const std::optional<BatchId>& id, std::int64_t none) -> Result<std::int64_t> {
        if (!id) return none;
        auto rows = snapshot->db().query(sql::kPlaceOfBatch, IdBytes(*id), query.account.name);
        if (!rows) return std::unexpected(rows.error());
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) page.cursor_unknown = true;
        return *more ? rows->number(0) : none;
    };
    const auto below = place_of(query.older_than, std::numeric_limits<std::int64_t>::max());
    if (!below) return std::unexpected(below.error());
    const auto above = place_of(query.newer_than, 0);
    if (!above) return std::unexpected(above.error());
    if (page.cursor_unknown) return page;

    const bool oldest_first = query.newer_than && !query.older_than;
    const char* const of_dialect = oldest_first ? sql::kBatchesOldestFirst : sql::kBatchesNewestFirst;
    const char* const of_all = oldest_first ? sql::kAllBatchesOldestFirst : sql::kAllBatchesNewestFirst;
    auto rows = snapshot->db().query(query.dialect.empty() ? of_all : of_dialect, query.account.name,
                                     query.dialect, *below, *above, std::uint64_t{query.count} + 1);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        page.has_more = page.rows.size() == query.count;
        if (page.has_more) break;
        page.rows.push_back(read_batch(*rows).batch);
    }
    if (oldest_first) std::ranges::reverse(page.rows);
    return page;
}

Result<std::vector<core::Batch>> SqliteBatches::unfinished() {
    return batches_where(*engine_, sql::kUnfinishedBatches);
}

Result<std::vector<core::Batch>> SqliteBatches::unpublished() {
    return batches_where(*engine_, sql::kUnpublishedBatches);
}

Result<std::vector<core::Batch>> SqliteBatches::due_for_purge(Timestamp now, std::uint32_t count_max) {
    return batches_where(*engine_, sql::kBatchesToPurge, now, count_max);
}

Result<std::vector<core::Batch>> SqliteBatches::due_for_archive(Timestamp now, std::uint32_t count_max) {
    return batches_where(*engine_, sql::kBatchesToArchive, now, count_max);
}

}  // namespace sheaf::store
