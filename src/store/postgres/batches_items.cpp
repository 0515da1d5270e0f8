#include <algorithm>
#include <limits>

#include "base/hash.h"
#include "store/postgres/postgres_batches.h"
#include "store/postgres/statements.h"

namespace sheaf::store::postgres {
namespace {

Error no_item() {
    return {ErrorCode::not_found, "there is no such item", {}};
}

std::uint32_t mask_of(const std::vector<core::ItemState>& states) {
    if (states.empty()) return ~0U;
    std::uint32_t mask = 0;
    for (const core::ItemState state : states) mask |= 1U << static_cast<unsigned>(state);
    return mask;
}

std::uint64_t count_in(core::Counts counts, std::uint32_t mask) {
    std::uint64_t count = 0;
    for (unsigned state = 0; state <= static_cast<unsigned>(core::ItemState::expired); ++state) {
        if ((mask >> state) & 1U) count += counts.of(static_cast<core::ItemState>(state));
    }
    return count;
}

Result<ItemOfBatch> one_item(Result<Rows> rows, const AccountId& account) {
    if (!rows) return std::unexpected(rows.error());
    if (!rows->next()) return std::unexpected(no_item());
    core::Batch batch = read_batch(*rows).batch;
    if (batch.account != account) return std::unexpected(no_item());
    core::ItemHead head = read_item(*rows, batch.id, sql::kBatchColumnCount);
    return ItemOfBatch{std::move(batch), std::move(head)};
}

Result<Page<ItemOfBatch>> items_about(Connection& db, const ItemQuery& query, std::uint32_t mask) {
    Page<ItemOfBatch> page;
    const auto about = subject_key(query.account, *query.subject);
    if (!about) return page;
    auto counted = db.query(sql::kCountItemsAbout, *about, query.subject->text, Text{query.account.name},
                            Text{query.dialect}, query.tag, mask);
    if (!counted) return std::unexpected(counted.error());
    (void)counted->next();
    page.total = counted->as<std::uint64_t>(0);
    auto rows = db.query(sql::kItemsAbout, *about, query.subject->text, Text{query.account.name},
                         Text{query.dialect}, query.tag, mask, query.page.count, query.page.offset);
    if (!rows) return std::unexpected(rows.error());
    while (rows->next()) {
        core::Batch batch = read_batch(*rows).batch;
        core::ItemHead item = read_item(*rows, batch.id, sql::kBatchColumnCount);
        page.rows.push_back({std::move(batch), std::move(item)});
    }
    return page;
}

// The counters say how many items of a batch match, so whole batches are skipped without a look at their
// items.
Result<Page<ItemOfBatch>> items_of_all(Connection& db, const ItemQuery& query, std::uint32_t mask) {
    Page<ItemOfBatch> page;
    std::uint64_t skip = query.page.offset;
    auto batches = db.query(sql::kBatchesOfItems, Text{query.account.name}, Text{query.dialect}, query.tag);
    if (!batches) return std::unexpected(batches.error());
    while (batches->next()) {
        const BatchRow batch = read_batch(*batches);
        const std::uint64_t matching = count_in(batch.batch.counts, mask);
        page.total += matching;
        const std::uint64_t wanted = query.page.count - page.rows.size();
        if (matching <= skip || wanted == 0) {
            skip -= std::min(skip, matching);
            continue;
        }
        auto items = db.query(sql::kItemsDescending, batch.number, mask, wanted, skip);
        if (!items) return std::unexpected(items.error());
        skip = 0;
        while (items->next()) page.rows.push_back({batch.batch, read_item(*items, batch.batch.id)});
    }
    return page;
}

// Of a row of kLinesFrom and its like.
Result<ItemLine> read_line(const Rows& rows, const BatchId& id) {
    ItemLine line{read_item(rows, id), std::nullopt};
    if (rows.is_null(5)) return line;
    line.line = rows.text(5);
    if (crc32c(*line.line) != rows.as<std::uint32_t>(6))
        return fail(ErrorCode::corrupt, "the line of item " + to_string(line.item.id) + " is damaged");
    return line;
}

}  // namespace

Result<ItemOfBatch> PostgresBatches::find_item(const AccountId& account, const ItemId& id) {
    return engine_->pool.read([&](Connection& db) {
        return one_item(db.query(sql::kFindItem, id_bytes(id.batch), id.ordinal), account);
    });
}

Result<ItemOfBatch> PostgresBatches::find_named(const AccountId& account, const BatchId& id,
                                                std::string_view custom_id) {
    return engine_->pool.read([&](Connection& db) {
        return one_item(db.query(sql::kFindNamed, id_bytes(id), name_key(id, custom_id), custom_id), account);
    });
}

Result<std::string> PostgresBatches::read_item_body(const ItemId& id) {
    return engine_->pool.read([&](Connection& db) -> Result<std::string> {
        auto rows = db.query(sql::kItemBody, id_bytes(id.batch), id.ordinal);
        if (!rows) return std::unexpected(rows.error());
        if (!rows->next()) return std::unexpected(no_item());
        if (crc32c(rows->bytes(0)) != rows->as<std::uint32_t>(1))
            return fail(ErrorCode::corrupt, "the body of item " + to_string(id) + " is damaged");
        return rows->text(0);
    });
}

Result<Page<ItemOfBatch>> PostgresBatches::list_items(const ItemQuery& query) {
    const std::uint32_t mask = mask_of(query.states);
    return engine_->pool.read_snapshot([&](Connection& db) {
        return query.subject ? items_about(db, query, mask) : items_of_all(db, query, mask);
    });
}

Result<std::uint64_t> count_unfinished_about(Connection& db, const AccountId& account,
                                             const core::Subject& subject) {
    const auto about = subject_key(account, subject);
    if (!about) return 0;
    auto rows = db.query(sql::kCountUnfinishedAbout, *about, subject.text, Text{account.name});
    if (!rows) return std::unexpected(rows.error());
    (void)rows->next();
    return rows->as<std::uint64_t>(0);
}

Result<std::uint64_t> PostgresBatches::count_unfinished(const AccountId& account,
                                                        const core::Subject& subject) {
    return engine_->pool.read([&](Connection& db) { return count_unfinished_about(db, account, subject); });
}

Result<std::vector<ItemLine>> PostgresBatches::read_lines(const BatchId& id, std::uint32_t first,
                                                          std::uint32_t count_max, std::uint64_t bytes_max) {
    const std::uint64_t bytes = std::min<std::uint64_t>(bytes_max, std::numeric_limits<std::int64_t>::max());
    return engine_->pool.read([&](Connection& db) -> Result<std::vector<ItemLine>> {
        auto rows = db.query(sql::kLinesFrom, id_bytes(id), first, std::max(count_max, 1U), bytes);
        if (!rows) return std::unexpected(rows.error());
        if (rows->count() == 0) return fail(ErrorCode::not_found, "there is no such batch");
        std::vector<ItemLine> lines;
        while (rows->next()) {
            if (rows->is_null(0)) continue;
            auto line = read_line(*rows, id);
            if (!line) return std::unexpected(line.error());
            lines.push_back(std::move(*line));
        }
        return lines;
    });
}

Result<EndedItems> PostgresBatches::read_ended(const BatchId& id, std::uint32_t after,
                                               std::uint32_t count_max, std::uint64_t bytes_max) {
    const std::uint64_t bytes = std::min<std::uint64_t>(bytes_max, std::numeric_limits<std::int64_t>::max());
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<EndedItems> {
        const auto batch = find_batch(db, id);
        if (!batch) return std::unexpected(batch.error());
        if (batch->batch.archived_at) return fail(ErrorCode::not_found, "the results were archived");
        const core::Counts& counts = batch->batch.counts;
        const std::uint32_t finished = counts.succeeded + counts.failed;
        EndedItems part{
            .items = {}, .count = finished, .is_whole = batch->batch.state == core::BatchState::ended};
        if (part.is_whole) part.count = counts.total();
        if (after >= part.count) return part;
        const std::uint32_t count = std::max(count_max, 1U);
        auto rows = after < finished
                        ? db.query(sql::kFinishedLines, batch->number, after, count, bytes)
                        : db.query(sql::kUnrunLines, batch->number, after - finished, count, bytes);
        if (!rows) return std::unexpected(rows.error());
        while (rows->next()) {
            // Nothing of the order is left out in silence.
            if (after < finished && rows->as<std::uint32_t>(7) != after + part.items.size()) break;
            auto line = read_line(*rows, id);
            if (!line) return std::unexpected(line.error());
            part.items.push_back(std::move(*line));
        }
        if (part.items.empty()) return fail(ErrorCode::corrupt, "the order of a batch's results has a gap");
        return part;
    });
}

Result<std::vector<core::ItemHead>> PostgresBatches::read_heads(const BatchId& id, std::uint32_t first,
                                                                std::uint32_t count_max) {
    return engine_->pool.read_snapshot([&](Connection& db) -> Result<std::vector<core::ItemHead>> {
        const auto batch = find_batch(db, id);
        if (!batch) return std::unexpected(batch.error());
        auto rows = db.query(sql::kHeadsFrom, batch->number, first, count_max);
        if (!rows) return std::unexpected(rows.error());
        std::vector<core::ItemHead> heads;
        while (rows->next()) heads.push_back(read_item(*rows, id));
        return heads;
    });
}

}  // namespace sheaf::store::postgres
