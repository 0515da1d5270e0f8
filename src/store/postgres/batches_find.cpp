#include <algorithm>
#include <limits>

#include "store/postgres/postgres_batches.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

template <class... Args>
Result<std::vector<core::Batch>> batches_where(Engine& engine, const char* sql, const Args&... args) {
    return engine.pool.read([&](Connection& db) -> Result<std::vector<core::Batch>> {
        auto rows = db.query(sql, args...);
        if (!rows) return std::unexpected(rows.error());
        std::vector<core::Batch> batches;
        while (rows->next()) batches.push_back(read_batch(*rows).batch);
        return batches;
    });
}

Result<CursorPage> page_beside(Connection& db, const CursorQuery& query) {
    CursorPage page;
    const auto place_of = [&](const std::optional<BatchId>& id, std::int64_t none) -> Result<std::int64_t> {
        if (!id) return none;
        auto rows = db.query(sql::kPlaceOfBatch, id_bytes(*id), Text{query.account.name});
        if (!rows) return std::unexpected(rows.error());
        if (rows->next()) return rows->number(0);
        page.cursor_unknown = true;
        return none;
    };
    const auto below = place_of(query.older_than, std::numeric_limits<std::int64_t>::max());
    if (!below) return std::unexpected(below.error());
    const auto above = place_of(query.newer_than, 0);
    if (!above) return std::unexpected(above.error());
    if (page.cursor_unknown) return page;

    const bool oldest_first = query.newer_than && !query.older_than;
    auto rows =
        db.query(oldest_first ? sql::kBatchesOldestFirst : sql::kBatchesNewestFirst, Text{query.account.name},
                 Text{query.dialect}, *below, *above, std::uint64_t{query.count} + 1);
    if (!rows) return std::unexpected(rows.error());
    page.has_more = static_cast<std::uint64_t>(rows->count()) > query.count;
    while (page.rows.size() < query.count && rows->next()) page.rows.push_back(read_batch(*rows).batch);
    if (oldest_first) std::ranges::reverse(page.rows);
    return page;
}

}  // namespace

Result<core::Batch> PostgresBatches::find(const AccountId& account, const BatchId& id) {
    return engine_->pool.read([&](Connection& db) -> Result<core::Batch> {
        auto row = find_batch(db, id);
        if (!row) return std::unexpected(row.error());
        if (row->batch.account != account) return fail(ErrorCode::not_found, "there is no such batch");
        return std::move(row->batch);
    });
}

// Other nodes write, too: what we know may be old.
std::optional<core::Batch> PostgresBatches::cached(const AccountId&, const BatchId&) {
    return std::nullopt;
}

Result<Page<core::Batch>> PostgresBatches::list(const BatchQuery& query) {
    std::optional<std::vector<std::int64_t>> states;
    if (!query.states.empty()) states.emplace();
    for (const StateFilter& filter : query.states) {
        const auto reason = filter.state == core::BatchState::ended ? filter.reason : core::EndReason::none;
        states->push_back(static_cast<std::int64_t>(filter.state) * 8 + static_cast<std::int64_t>(reason));
    }
    std::optional<std::vector<std::string>> tags;
    if (!query.tags.empty()) tags = query.tags;
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<Page<core::Batch>> {
        Page<core::Batch> page;
        auto counted = db.query(sql::kCountBatches, Text{query.account.name}, Text{query.dialect},
                                core::BatchKind::batch, states, tags);
        if (!counted) return std::unexpected(counted.error());
        (void)counted->next();
        page.total = counted->as<std::uint64_t>(0);
        auto rows = db.query(sql::kListBatches, Text{query.account.name}, Text{query.dialect},
                             core::BatchKind::batch, states, tags, query.page.count, query.page.offset);
        if (!rows) return std::unexpected(rows.error());
        while (rows->next()) page.rows.push_back(read_batch(*rows).batch);
        return page;
    });
}

Result<CursorPage> PostgresBatches::list_beside(const CursorQuery& query) {
    return engine_->pool.read_snapshot([&](Connection& db) { return page_beside(db, query); });
}

Result<std::vector<core::Batch>> PostgresBatches::unfinished() {
    return batches_where(*engine_, sql::kUnfinishedBatches);
}

Result<std::vector<core::Batch>> PostgresBatches::unpublished() {
    return batches_where(*engine_, sql::kUnpublishedBatches);
}

Result<std::vector<core::Batch>> PostgresBatches::due_for_purge(Timestamp now, std::uint32_t count_max) {
    return batches_where(*engine_, sql::kBatchesToPurge, now, count_max);
}

Result<std::vector<core::Batch>> PostgresBatches::due_for_archive(Timestamp now, std::uint32_t count_max) {
    return batches_where(*engine_, sql::kBatchesToArchive, now, count_max);
}

}  // namespace sheaf::store::postgres
