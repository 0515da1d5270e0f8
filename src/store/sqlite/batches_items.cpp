#include <algorithm>

#include "base/hash.h"
#include "store/sqlite/ended_order.h"
#include "store/sqlite/results_file.h"
#include "store/sqlite/sqlite_batches.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr int kReadsMax = 3;

Error no_item() {
    return {ErrorCode::not_found, "there is no such item", {}};
}

// A snapshot of the index may speak of files that a removal or a publication took away since: then the next
// one knows better. What is damaged stays damaged.
template <class F>
auto read_steadily(F read) {
    for (int tries = 1;; ++tries) {
        auto result = read();
        if (result || result.error().code != ErrorCode::corrupt || tries == kReadsMax) return result;
    }
}

Error missing_is_corrupt(Error error) {
    if (error.code == ErrorCode::not_found) error.code = ErrorCode::corrupt;
    return error;
}

Result<ItemRow> find_item_row(Connection& db, const BatchRow& batch, std::uint32_t ordinal) {
    auto rows = db.query(sql::kFindItem, batch.row, batch.key(ordinal));
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected(no_item());
    return read_item(*rows, batch.batch.id);
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

Result<Page<ItemOfBatch>> items_about(Connection& db, const ItemQuery& query, std::uint32_t mask) {
    Page<ItemOfBatch> page;
    const auto about = subject_key(query.account, *query.subject);
    if (!about) return page;
    auto counted = db.query(sql::kCountItemsAbout, *about, query.subject->text, query.account.name,
                            query.dialect, query.tag, mask);
    if (!counted) return std::unexpected(counted.error());
    if (const auto more = counted->next(); !more) return std::unexpected(more.error());
    page.total = counted->as<std::uint64_t>(0);
    auto rows = db.query(sql::kItemsAbout, *about, query.subject->text, query.account.name, query.dialect,
                         query.tag, mask, query.page.count, query.page.offset);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return page;
        core::Batch batch = read_batch(*rows).batch;
        core::ItemHead item = read_item(*rows, batch.id, sql::kBatchColumnCount).head;
        page.rows.push_back({std::move(batch), std::move(item)});
    }
}

// The counters say how many items of a batch match, so whole batches are skipped without a look at their
// items.
Result<Page<ItemOfBatch>> items_of_all(Connection& db, const ItemQuery& query, std::uint32_t mask) {
    Page<ItemOfBatch> page;
    std::uint64_t skip = query.page.offset;
    auto batches = db.query(sql::kBatchesOfItems, query.account.name, query.dialect, query.tag);
    if (!batches) return std::unexpected(batches.error());
    for (;;) {
        const auto more = batches->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return page;
        const BatchRow batch = read_batch(*batches);
        const std::uint64_t matching = count_in(batch.batch.counts, mask);
        page.total += matching;
        const std::uint64_t wanted = query.page.count - page.rows.size();
        if (matching <= skip || wanted == 0) {
            skip -= std::min(skip, matching);
            continue;
        }
        auto items = db.query(sql::kItemsDescending, batch.row, batch.first_key(), batch.end_key(), mask,
                              wanted, skip);
        if (!items) return std::unexpected(items.error());
        skip = 0;
        for (;;) {
            const auto item = items->next();
            if (!item) return std::unexpected(item.error());
            if (!*item) break;
            page.rows.push_back({batch.batch, read_item(*items, batch.batch.id).head});
        }
    }
}

// Where the lines of a batch are read from.
class Lines {
public:
    static Result<Lines> of(Engine& engine, const BatchRow& batch) {
        Lines lines(engine, batch);
        if (batch.batch.results_bytes) {
            auto file = open_for_read(engine.paths.results(batch.batch.id));
            if (!file) return std::unexpected(missing_is_corrupt(file.error()));
            lines.file_ = std::move(*file);
        }
        return lines;
    }

    // Nullopt: it has none yet.
    Result<std::optional<std::string>> read(const ItemRow& item) const {
        const std::uint32_t ordinal = item.head.id.ordinal;
        if (file_) return read_result(file_.fd(), *batch_->batch.results_bytes, ordinal);
        if (!core::has_result(item.head.state)) return std::nullopt;
        if (!item.line) return fail(ErrorCode::corrupt, "a finished item has no line");
        auto line = engine_->lines.read(*item.line, {batch_->row, ordinal});
        if (!line) return std::unexpected(missing_is_corrupt(std::move(line.error())));
        return line;
    }

private:
    Lines(Engine& engine, const BatchRow& batch) : engine_(&engine), batch_(&batch) {}
    Engine* engine_;
    const BatchRow* batch_;
    File file_;
};

// Adds lines to a page of at most `bytes_max` bytes of them, but always one.
class LinePage {
public:
    explicit LinePage(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    // False: there is no room for it.
    Result<bool> add(const Lines& lines, ItemRow item) {
        if (item.line && !read_.empty() && bytes_ + item.line->bytes > bytes_max_) return false;
        auto line = lines.read(item);
        if (!line) return std::unexpected(line.error());
        if (*line) bytes_ += (*line)->size();
        read_.push_back({std::move(item.head), std::move(*line)});
        return true;
    }
    std::vector<ItemLine> take() { return std::move(read_); }

private:
    std::uint64_t bytes_max_;
    std::uint64_t bytes_ = 0;
    std::vector<ItemLine> read_;
};

// Those with a result, from place `after` of the order on.
Result<> add_finished(Connection& db, const BatchRow& batch, std::uint32_t after, std::uint32_t count_max,
                      const Lines& lines, LinePage& page) {
    const auto ordinals = read_ended_ordinals(db, batch, after, count_max);
    if (!ordinals) return std::unexpected(ordinals.error());
    if (ordinals->empty()) return fail(ErrorCode::corrupt, "the order of a batch's results has a gap");
    for (const std::uint32_t ordinal : *ordinals) {
        auto item = find_item_row(db, batch, ordinal);
        if (!item) return std::unexpected(item.error());
        const auto added = page.add(lines, std::move(*item));
        if (!added) return std::unexpected(added.error());
        if (!*added) break;
    }
    return {};
}

// Those that never ran, but for the first `skipped`.
Result<> add_unrun(Connection& db, const BatchRow& batch, std::uint32_t skipped, std::uint32_t count_max,
                   const Lines& lines, LinePage& page) {
    auto rows =
        db.query(sql::kItemsThatNeverRan, batch.row, batch.first_key(), batch.end_key(), count_max, skipped);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        const auto added = page.add(lines, read_item(*rows, batch.batch.id));
        if (!added) return std::unexpected(added.error());
        if (!*added) return {};
    }
}

}  // namespace

Result<std::string> read_body(Engine& engine, const BatchRow& batch, const ItemRow& item, File& body) {
    std::string bytes;
    if (batch.body_segment) {
        auto part = engine.bodies.read_part(batch.body_place(), item.body_offset, item.body_bytes);
        if (!part) return std::unexpected(missing_is_corrupt(part.error()));
        bytes = std::move(*part);
    } else {
        if (!body) {
            auto file = open_for_read(engine.paths.body(batch.batch.id));
            if (!file) return std::unexpected(missing_is_corrupt(file.error()));
            body = std::move(*file);
        }
        bytes.resize(item.body_bytes);
        const auto got = read_at(body.fd(), bytes.data(), bytes.size(), item.body_offset);
        if (!got) return std::unexpected(got.error());
    }
    if (crc32c(bytes) != item.body_crc) {
        return fail(ErrorCode::corrupt, "the body of item " + to_string(item.head.id) + " is damaged");
    }
    return bytes;
}

Result<ItemOfBatch> SqliteBatches::find_item(const AccountId& account, const ItemId& id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto batch = find_batch_row(snapshot->db(), id.batch);
    if (!batch) return std::unexpected(batch.error());
    if (batch->batch.account != account) return std::unexpected(no_item());
    auto item = find_item_row(snapshot->db(), *batch, id.ordinal);
    if (!item) return std::unexpected(item.error());
    return ItemOfBatch{std::move(batch->batch), std::move(item->head)};
}

Result<ItemOfBatch> SqliteBatches::find_named(const AccountId& account, const BatchId& id,
                                              std::string_view custom_id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto batch = find_batch_row(snapshot->db(), id);
    if (!batch) return std::unexpected(batch.error());
    if (batch->batch.account != account) return std::unexpected(no_item());
    auto rows = snapshot->db().query(sql::kFindNamed, batch->row, name_key(id, custom_id), custom_id,
                                     batch->first_key(), batch->end_key());
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected(no_item());
    return ItemOfBatch{std::move(batch->batch), read_item(*rows, id).head};
}

Result<std::vector<core::ItemHead>> SqliteBatches::read_heads(const BatchId& id, std::uint32_t first,
                                                              std::uint32_t count_max) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    const auto batch = find_batch_row(snapshot->db(), id);
    if (!batch) return std::unexpected(batch.error());
    auto rows =
        snapshot->db().query(sql::kItemsFrom, batch->row, batch->key(first), batch->end_key(), count_max);
    if (!rows) return std::unexpected(rows.error());
    std::vector<core::ItemHead> heads;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return heads;
        heads.push_back(read_item(*rows, id).head);
    }
}

Result<std::string> SqliteBatches::read_item_body(const ItemId& id) {
    return read_steadily([&]() -> Result<std::string> {
        auto snapshot = engine_->readers.snapshot();
        if (!snapshot) return std::unexpected(snapshot.error());
        const auto batch = find_batch_row(snapshot->db(), id.batch);
        if (!batch) return std::unexpected(batch.error());
        const auto item = find_item_row(snapshot->db(), *batch, id.ordinal);
        if (!item) return std::unexpected(item.error());
        File body;
        return read_body(*engine_, *batch, *item, body);
    });
}

Result<Page<ItemOfBatch>> SqliteBatches::list_items(const ItemQuery& query) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    const std::uint32_t mask = mask_of(query.states);
    return query.subject ? items_about(snapshot->db(), query, mask)
                         : items_of_all(snapshot->db(), query, mask);
}

Result<std::uint64_t> SqliteBatches::count_unfinished(const AccountId& account,
                                                      const core::Subject& subject) {
    const auto about = subject_key(account, subject);
    if (!about) return 0;
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kCountUnfinishedAbout, *about, subject.text, account.name);
    if (!rows) return std::unexpected(rows.error());
    if (const auto more = rows->next(); !more) return std::unexpected(more.error());
    return rows->as<std::uint64_t>(0);
}

Result<std::vector<ItemLine>> SqliteBatches::read_lines(const BatchId& id, std::uint32_t first,
                                                        std::uint32_t count_max, std::uint64_t bytes_max) {
    return read_steadily([&]() -> Result<std::vector<ItemLine>> {
        auto snapshot = engine_->readers.snapshot();
        if (!snapshot) return std::unexpected(snapshot.error());
        const auto batch = find_batch_row(snapshot->db(), id);
        if (!batch) return std::unexpected(batch.error());
        if (first >= batch->batch.counts.total() || batch->batch.archived_at) return std::vector<ItemLine>{};
        const auto lines = Lines::of(*engine_, *batch);
        if (!lines) return std::unexpected(lines.error());
        auto rows = snapshot->db().query(sql::kItemsFrom, batch->row, batch->key(first), batch->end_key(),
                                         std::max(count_max, 1U));
        if (!rows) return std::unexpected(rows.error());
        LinePage page(bytes_max);
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) return page.take();
            const auto added = page.add(*lines, read_item(*rows, id));
            if (!added) return std::unexpected(added.error());
            if (!*added) return page.take();
        }
    });
}

Result<EndedItems> SqliteBatches::read_ended(const BatchId& id, std::uint32_t after, std::uint32_t count_max,
                                             std::uint64_t bytes_max) {
    return read_steadily([&]() -> Result<EndedItems> {
        auto snapshot = engine_->readers.snapshot();
        if (!snapshot) return std::unexpected(snapshot.error());
        const auto batch = find_batch_row(snapshot->db(), id);
        if (!batch) return std::unexpected(batch.error());
        if (batch->batch.archived_at) return fail(ErrorCode::not_found, "the results were archived");
        const core::Counts& counts = batch->batch.counts;
        const std::uint32_t finished = counts.succeeded + counts.failed;
        EndedItems part{
            .items = {}, .count = finished, .is_whole = batch->batch.state == core::BatchState::ended};
        if (part.is_whole) part.count = counts.total();
        if (after >= part.count) return part;
        const auto lines = Lines::of(*engine_, *batch);
        if (!lines) return std::unexpected(lines.error());
        LinePage page(bytes_max);
        const std::uint32_t count = std::max(count_max, 1U);
        const auto added = after < finished
                               ? add_finished(snapshot->db(), *batch, after, count, *lines, page)
                               : add_unrun(snapshot->db(), *batch, after - finished, count, *lines, page);
        if (!added) return std::unexpected(added.error());
        part.items = page.take();
        return part;
    });
}

}  // namespace sheaf::store
