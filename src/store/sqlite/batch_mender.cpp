#include "store/sqlite/batch_mender.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "store/sqlite/batch_records.h"
#include "store/sqlite/ended_order.h"
#include "store/sqlite/results_file.h"
#include "store/sqlite/sqlite_batches.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_outbox.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

bool is_about_results_file(const BatchFault& each) {
    return each.fault == Fault::result_damaged || each.fault == Fault::results_missing ||
           each.fault == Fault::results_resized || each.fault == Fault::results_unclosed ||
           each.fault == Fault::file_outside;
}

bool is_among(const std::vector<BatchFault>& faults, Fault fault) {
    return std::ranges::find(faults, fault, &BatchFault::fault) != faults.end();
}

// How long the lines are of a results file that is not what it was.
std::uint64_t old_line_bytes(int fd, const core::Batch& batch, const std::vector<BatchFault>& faults) {
    if (is_among(faults, Fault::results_unclosed)) return *batch.results_bytes;
    const auto size = size_of(fd);
    return size ? line_bytes_of(fd, *size, batch.counts.total()).value_or(0) : 0;
}

Result<> set_ranges(Tx& tx, const BatchId& batch, const std::vector<core::File>& files) {
    for (const std::uint32_t which : {core::kOutputFile, core::kErrorFile}) {
        const FileId id = core::result_file_id(batch, which);
        const auto file = std::ranges::find(files, id, &core::File::id);
        const bool is_there = file != files.end();
        const auto set =
            tx.db.run(sql::kSetRange, IdBytes(id), is_there ? file->bytes : 0, is_there ? file->offset : 0);
        if (!set) return std::unexpected(set.error());
        if (*set > 0 || !is_there) continue;
        if (const auto added = insert_file(tx, *file); !added) return added;
    }
    return {};
}

}  // namespace

std::filesystem::path put_aside_name(const std::filesystem::path& path, Timestamp now) {
    std::string time = to_rfc3339(now);
    std::erase_if(time, [](char c) { return c == '-' || c == ':' || c == '.'; });
    return path.string() + ".damaged-" + time;
}

Result<> BatchMender::mend(const BatchRow& row, std::vector<BatchFault>& faults) {
    const bool in_file = row.batch.results_bytes.has_value();
    if (in_file && how_->speaks(row.batch) && std::ranges::any_of(faults, is_about_results_file)) {
        if (const auto done = replace_results(row, faults); !done) return done;
    }
    return engine_->writer.run([&](Tx& tx) -> Result<> {
        auto found = tx.find_batch(row.batch.id);
        if (!found) return std::unexpected(found.error());
        if (!*found) return fail(ErrorCode::corrupt, "a batch is there and is not");
        BatchRow now = std::move(**found);
        return mend_rows(tx, now, faults);
    });
}

Result<> BatchMender::mend_rows(Tx& tx, BatchRow& row, std::vector<BatchFault>& faults) const {
    const bool has_gaps = is_among(faults, Fault::items_missing);
    for (BatchFault& each : faults) {
        if (const auto done = mend_item(tx, row, each); !done) return done;
        if (each.fault == Fault::plan_damaged && !has_gaps) {
            if (const auto done = drop_plan(tx, row); !done) return done;
            each.mending = Mending::mended;
        }
        if (each.fault == Fault::record_damaged) {
            if (const auto done = write_records(tx, row); !done) return done;
            each.mending = Mending::mended;
        }
        if (each.fault == Fault::counts_wrong || each.fault == Fault::batch_stuck ||
            each.fault == Fault::order_damaged)
            each.mending = Mending::mended;
    }
    if (has_gaps) return tx.update(row);
    // An item that runs again has left it.
    if (const auto ordered = mend_ended_order(tx.db, row); !ordered) return ordered;
    if (const auto counted = recount(tx, row); !counted) return counted;
    const bool ends = row.batch.state != core::BatchState::ended && row.batch.counts.unfinished() == 0;
    if (ends) row.batch = *core::after_event(std::move(row.batch), core::BatchEvent::drained, how_->now);
    if (const auto stored = tx.update(row); !stored) return stored;
    return ends ? note_batch_ended(tx, row.batch) : Result<>{};
}

Result<> BatchMender::mend_item(Tx& tx, BatchRow& row, BatchFault& each) const {
    const auto run = [&](const char* sql) -> Result<> {
        const auto done = tx.db.run(sql, row.key(each.item->id.ordinal));
        if (!done) return std::unexpected(done.error());
        return {};
    };
    if (each.fault == Fault::lease_missing) {
        each.mending = Mending::requeued;
        return run(sql::kLendItem);
    }
    if (each.fault == Fault::lease_stray) {
        each.mending = Mending::mended;
        return run(sql::kDropLease);
    }
    // Those in a results file went with it.
    if (each.fault != Fault::result_damaged || row.batch.results_bytes) return {};
    if (row.batch.state == core::BatchState::ended) {
        if (!how_->speaks(row.batch)) return {};
        each.mending = Mending::given_up;
        return give_up(tx, row, *each.item);
    }
    each.mending = Mending::requeued;
    return requeue(tx, row, *each.item);
}

Result<> BatchMender::drop_plan(Tx& tx, BatchRow& row) {
    auto done = tx.db.run(sql::kLendUnfinished, row.first_key(), row.end_key());
    if (done) done = tx.db.run(sql::kDeletePlan, row.first_key(), row.end_key());
    if (!done) return std::unexpected(done.error());
    row.plan_next.reset();
    row.cursor = row.batch.counts.total();
    if (row.batch.state == core::BatchState::accepted) row.batch.state = core::BatchState::running;
    return tx.update(row);
}

Result<> BatchMender::write_records(Tx& tx, const BatchRow& row) {
    const auto turn = find_record(tx.db, row.row, Stream::lines);
    if (!turn) return std::unexpected(turn.error());
    if (*turn) {
        if (const auto kept = keep_turn(tx, row); !kept) return kept;
    }
    const auto head = find_record(tx.db, row.row, Stream::bodies);
    if (!head) return std::unexpected(head.error());
    return *head ? write_head(tx, row) : Result<>{};
}

Result<> BatchMender::write_head(Tx& tx, const BatchRow& row) {
    if (const auto dropped = drop_record(tx, row.row, Stream::bodies); !dropped) return dropped;
    // As it was created: what became of it stands elsewhere.
    core::Batch batch = row.batch;
    if (batch.end_reason != core::EndReason::rejected) {
        batch.state = core::BatchState::accepted;
        batch.end_reason = core::EndReason::none;
        batch.ended_at.reset();
    }
    bool are_named = false;
    {
        auto rows = tx.db.query(sql::kAreItemsNamed, row.first_key(), row.end_key());
        if (!rows) return std::unexpected(rows.error());
        const auto found = rows->next();
        if (!found) return std::unexpected(found.error());
        are_named = *found;
    }
    ContentsPacker contents(batch, are_named, row.batch.counts.total());
    {
        auto rows = tx.db.query(sql::kItemsOfHead, row.first_key(), row.end_key());
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) break;
            const auto custom_id =
                rows->is_null(0) ? std::nullopt : std::optional<std::string>(rows->text(0));
            contents.add(
                custom_id, rows->bytes(1),
                {rows->as<std::uint64_t>(2), rows->as<std::uint64_t>(3), rows->as<std::uint32_t>(4)});
        }
    }
    return keep_head(tx, row, contents.take());
}

Result<> BatchMender::take_back(Tx& tx, BatchRow& row, const core::ItemHead& item) {
    const std::int64_t key = row.key(item.id.ordinal);
    {
        auto rows = tx.db.query(sql::kTokensOfItem, key);
        if (!rows) return std::unexpected(rows.error());
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        core::Usage& usage = row.batch.usage;
        if (*more) {
            usage.input_tokens -= std::min(usage.input_tokens, rows->as<std::uint64_t>(0));
            usage.output_tokens -= std::min(usage.output_tokens, rows->as<std::uint64_t>(1));
        }
    }
    if (row.batch.results_bytes) return {};
    std::optional<std::int64_t> segment;
    {
        auto rows = tx.db.query(sql::kFindItem, row.row, key);
        if (!rows) return std::unexpected(rows.error());
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (*more) {
            const ItemRow stored = read_item(*rows, row.batch.id);
            if (stored.line) segment = stored.line->segment;
        }
    }
    if (!segment) return {};
    const auto dropped = tx.db.run(sql::kDropRecords, Stream::lines, *segment, 1);
    if (!dropped) return std::unexpected(dropped.error());
    return {};
}

Result<> BatchMender::requeue(Tx& tx, BatchRow& row, const core::ItemHead& item) {
    if (const auto taken = take_back(tx, row, item); !taken) return taken;
    const std::int64_t key = row.key(item.id.ordinal);
    auto done = tx.db.run(sql::kRequeueItem, key);
    // As one whose lease was lost: it was claimed once, and the plan or the cursor is past it.
    if (done) done = tx.db.run(sql::kLendItem, key);
    if (!done) return std::unexpected(done.error());
    return {};
}

Result<> BatchMender::give_up(Tx& tx, BatchRow& row, core::ItemHead item) const {
    if (const auto taken = take_back(tx, row, item); !taken) return taken;
    const std::int64_t key = row.key(item.id.ordinal);
    item.state = core::ItemState::failed;
    const Place place = tx.lines.append({row.row, item.id.ordinal}, how_->lost_line(row.batch, item));
    const Outcome outcome{.ordinal = item.id.ordinal,
                          .state = item.state,
                          .finished_at = item.finished_at.value_or(how_->now),
                          .usage = {}};
    tx.lines.note({row.row, kOutcomes}, pack_outcomes({row.batch.id, {outcome}}));
    const auto stored = tx.db.run(sql::kFinishItem, key, item.state, item.finished_at, place.segment,
                                  place.start, place.bytes, 0, 0);
    if (!stored) return std::unexpected(stored.error());
    return {};
}

Result<> BatchMender::recount(Tx& tx, BatchRow& row) {
    if (row.batch.archived_at) return {};
    auto rows = tx.db.query(sql::kCountStates, row.row, row.first_key(), row.end_key());
    if (!rows) return std::unexpected(rows.error());
    core::Counts counts;
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        const auto state = rows->as<core::ItemState>(0);
        if (state <= core::ItemState::expired) counts.of(state) = rows->as<std::uint32_t>(1);
    }
    row.batch.counts = counts;
    return {};
}

Result<BatchMender::NewFile> BatchMender::write_results(const BatchRow& row,
                                                        const std::vector<BatchFault>& faults) {
    const core::Batch& batch = row.batch;
    const Batches::Layout layout = how_->layout(batch);
    const std::uint32_t count = batch.counts.total();
    const auto old = open_for_read(engine_->paths.results(batch.id));
    const std::uint64_t old_bytes = old ? old_line_bytes(old->fd(), batch, faults) : 0;
    const bool is_missing = is_among(faults, Fault::results_missing);
    auto writer = ResultsWriter::create(*engine_->disk, engine_->paths.spooled_results(batch.id), count);
    if (!writer) return std::unexpected(writer.error());

    // The line as it was written, from wherever it still is.
    const auto sound_line = [&](const ItemRow& item) -> std::optional<std::string> {
        if (!is_missing) {
            if (auto line = read_result(old->fd(), old_bytes, item.head.id.ordinal)) return std::move(*line);
        }
        if (item.line) {
            if (auto line = engine_->lines.read(*item.line, {row.row, item.head.id.ordinal}))
                return std::move(*line);
        }
        if (!core::has_result(item.head.state)) return layout.render(batch, item.head);
        return std::nullopt;
    };
    NewFile made;
    EndedPacker ended(turn_of(row), count);
    auto db = engine_->readers.snapshot();
    if (!db) return std::unexpected(db.error());
    const auto add_where = [&](const auto& wanted) -> Result<> {
        auto rows = db->db().query(sql::kItemsFrom, row.row, row.first_key(), row.end_key(), -1);
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) return {};
            ItemRow item = read_item(*rows, batch.id);
            // In the first round an item is known to be lost only once it is looked for.
            const std::uint32_t ordinal = item.head.id.ordinal;
            auto line = std::ranges::binary_search(made.lost, ordinal) ? std::nullopt : sound_line(item);
            if (!line) {
                const auto place = std::ranges::lower_bound(made.lost, ordinal);
                if (place == made.lost.end() || *place != ordinal) made.lost.insert(place, ordinal);
                item.head.state = core::ItemState::failed;
            }
            if (!wanted(item.head.state)) continue;
            Outcome outcome = outcome_of(item);
            if (!line) outcome.usage = {};
            ended.add(outcome);
            const auto added = writer->add(ordinal, line ? *line : how_->lost_line(batch, item.head));
            if (!added) return added;
        }
    };
    const auto succeeded = [](core::ItemState state) { return state == core::ItemState::succeeded; };
    std::uint64_t succeeded_bytes = 0;
    Result<> added;
    if (layout.order == core::ItemCodec::Order::submission) {
        added = add_where([](core::ItemState) { return true; });
    } else {
        added = add_where(succeeded);
        succeeded_bytes = writer->line_bytes();
        if (added) added = add_where(std::not_fn(succeeded));
    }
    if (!added) return std::unexpected(added.error());
    made.line_bytes = writer->line_bytes();
    const auto order = read_ended_ordinals(db->db(), row, 0, count);
    if (!order) return std::unexpected(order.error());
    if (const auto done = writer->finish(ended.finish(*order)); !done) return std::unexpected(done.error());
    if (layout.files) made.files = layout.files(batch, succeeded_bytes, made.line_bytes);
    return made;
}

Result<> BatchMender::replace_results(const BatchRow& row, std::vector<BatchFault>& faults) {
    // Their entries would name items that are not there.
    if (is_among(faults, Fault::items_missing)) return {};
    const auto made = write_results(row, faults);
    if (!made) return std::unexpected(made.error());
    const auto path = engine_->paths.results(row.batch.id);
    const auto spooled = engine_->paths.spooled_results(row.batch.id);
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) {
        const auto kept = engine_->disk->link(path, put_aside_name(path, how_->now));
        if (!kept) return kept;
    }
    // From here to the commit the file is newer than the index: its own size tells how long its lines are.
    if (const auto renamed = rename_file(spooled, path, path.string()); !renamed) return renamed;
    if (const auto synced = engine_->disk->sync_directory(engine_->paths.results()); !synced) return synced;
    const auto noted = engine_->writer.run([&](Tx& tx) -> Result<> {
        auto found = tx.find_batch(row.batch.id);
        if (!found) return std::unexpected(found.error());
        if (!*found) return fail(ErrorCode::corrupt, "a batch is there and is not");
        BatchRow now = std::move(**found);
        for (const std::uint32_t ordinal : made->lost) {
            core::ItemHead item;
            item.id = row.batch.id.item(ordinal);
            if (const auto taken = take_back(tx, now, item); !taken) return taken;
            const auto lost = tx.db.run(sql::kLoseItem, now.key(ordinal));
            if (!lost) return std::unexpected(lost.error());
        }
        now.batch.results_bytes = made->line_bytes;
        if (const auto set = set_ranges(tx, now.batch.id, made->files); !set) return set;
        return tx.update(now);
    });
    if (!noted) return noted;
    for (BatchFault& each : faults) {
        if (!is_about_results_file(each)) continue;
        const bool is_lost = each.item ? std::ranges::binary_search(made->lost, each.item->id.ordinal)
                                       : each.fault == Fault::results_missing && !made->lost.empty();
        each.mending = is_lost ? Mending::given_up : Mending::mended;
    }
    return {};
}

}  // namespace sheaf::store
