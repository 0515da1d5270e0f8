#include <functional>

#include <sys/mman.h>

#include "base/check.h"
#include "base/log.h"
#include "store/sqlite/batch_records.h"
#include "store/sqlite/ended_order.h"
#include "store/sqlite/results_file.h"
#include "store/sqlite/sqlite_batches.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_outbox.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kVerifiedMax = 4096;

Error no_batch() {
    return {ErrorCode::not_found, "there is no such batch", {}};
}

// Ends the items that are queued, or those that are running.
Result<> end_items(Tx& tx, const BatchRow& row, core::ItemState from, core::ItemState to, Timestamp now) {
    const bool are_running = from == core::ItemState::running;
    const std::int64_t first = row.plan_next || are_running ? row.first_key() : row.key(row.cursor);
    const std::int64_t end = !row.plan_next && are_running ? row.key(row.cursor) : row.end_key();
    const auto ended = row.plan_next ? tx.db.run(sql::kEndPlannedItems, first, end, to, now, are_running)
                                     : tx.db.run(sql::kEndItems, first, end, to, now);
    if (!ended) return std::unexpected(ended.error());
    return {};
}

Result<core::Batch> apply_event(Tx& tx, const BatchId& id, core::BatchEvent event, Timestamp now) {
    auto found = tx.find_batch(id);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(no_batch());
    BatchRow row = std::move(**found);
    const core::Transition* const transition = core::find_transition(row.batch.state, event);
    const bool drains_early = event == core::BatchEvent::drained && row.batch.counts.unfinished() > 0;
    if (transition == nullptr || drains_early) {
        return fail(ErrorCode::conflict, "the batch is " + std::string(core::to_string(row.batch.state)));
    }
    if (transition->queued_items_become && row.batch.counts.queued > 0) {
        const auto ended = end_items(tx, row, core::ItemState::queued, *transition->queued_items_become, now);
        if (!ended) return std::unexpected(ended.error());
    }
    if (transition->running_items_become) {
        const auto ended =
            end_items(tx, row, core::ItemState::running, *transition->running_items_become, now);
        if (!ended) return std::unexpected(ended.error());
        const auto dropped = tx.db.run(sql::kDeleteLeases, row.first_key(), row.end_key());
        if (!dropped) return std::unexpected(dropped.error());
    }
    row.batch = *core::after_event(row.batch, event, now);
    if (const auto stored = tx.update(row); !stored) return std::unexpected(stored.error());
    // That it has started follows from what has run.
    if (event != core::BatchEvent::started) {
        if (const auto kept = keep_turn(tx, row); !kept) return std::unexpected(kept.error());
    }
    if (row.batch.state == core::BatchState::ended) {
        if (const auto told = note_batch_ended(tx, row.batch); !told) return std::unexpected(told.error());
    }
    return row.batch;
}

Error missing_is_corrupt(Error error) {
    if (error.code == ErrorCode::not_found) error.code = ErrorCode::corrupt;
    return error;
}

// What a rejected batch has: it never had a results file.
Result<ResultsFile> no_lines() {
    const auto empty = std::make_shared<const sheaf::Descriptor>(::memfd_create("results", MFD_CLOEXEC));
    if (empty->fd() < 0) return fail(ErrorCode::unavailable, "no memory file for empty results");
    return ResultsFile{empty, 0};
}

// What an earlier removal of the batch's contents, which was put off, owes still.
Result<> add_owed_ranges(Tx& tx, const BatchId& id, Engine::Ranges& ranges) {
    auto rows = tx.db.query(sql::kFindRemoval, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    const auto found = rows->next();
    if (!found) return std::unexpected(found.error());
    if (!*found) return {};
    const Engine::Ranges owed = Engine::decode(rows->bytes(0));
    ranges.lines.insert(ranges.lines.end(), owed.lines.begin(), owed.lines.end());
    ranges.bodies.insert(ranges.bodies.end(), owed.bodies.begin(), owed.bodies.end());
    return {};
}

// Joins `range` to the last one when it follows on it.
void add_range(std::vector<SegmentLog::Range>& ranges, SegmentLog::Range range) {
    if (!ranges.empty() && ranges.back().segment == range.segment &&
        ranges.back().start + ranges.back().bytes == range.start) {
        ranges.back().bytes += range.bytes;
    } else {
        ranges.push_back(range);
    }
}

}  // namespace

Result<core::Batch> SqliteBatches::apply(const BatchId& id, core::BatchEvent event, Timestamp now) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    return engine_->writer.run([&](Tx& tx) { return apply_event(tx, id, event, now); });
}

Result<SqliteBatches::LaidOut> SqliteBatches::lay_out(const BatchRow& row, const Layout& layout) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto writer = ResultsWriter::create(*engine_->disk, engine_->paths.spooled_results(row.batch.id),
                                        row.batch.counts.total());
    if (!writer) return std::unexpected(writer.error());
    LaidOut laid_out;
    EndedPacker ended(turn_of(row), row.batch.counts.total());
    const auto add = [&](const ItemRow& item) -> Result<> {
        const std::uint32_t ordinal = item.head.id.ordinal;
        ended.add(outcome_of(item));
        if (!item.line) return writer->add(ordinal, layout.render(row.batch, item.head));
        const auto line = engine_->lines.read(*item.line, {row.row, ordinal});
        if (!line) return std::unexpected(missing_is_corrupt(line.error()));
        ++laid_out.records[item.line->segment];
        return writer->add(ordinal, *line);
    };
    const auto add_where = [&](const auto& wanted) -> Result<> {
        auto rows = snapshot->db().query(sql::kItemsFrom, row.row, row.first_key(), row.end_key(), -1);
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) return {};
            const ItemRow item = read_item(*rows, row.batch.id);
            if (!wanted(item.head.state)) continue;
            if (const auto added = add(item); !added) return added;
        }
    };
    const auto succeeded = [](core::ItemState state) { return state == core::ItemState::succeeded; };
    Result<> added;
    if (layout.order == core::ItemCodec::Order::submission) {
        added = add_where([](core::ItemState) { return true; });
    } else {
        added = add_where(succeeded);
        laid_out.succeeded_bytes = writer->line_bytes();
        if (added) added = add_where(std::not_fn(succeeded));
    }
    if (!added) return std::unexpected(added.error());
    laid_out.line_bytes = writer->line_bytes();
    const auto order = read_ended_ordinals(snapshot->db(), row, 0, row.batch.counts.total());
    if (!order) return std::unexpected(order.error());
    if (const auto done = writer->finish(ended.finish(*order)); !done) return std::unexpected(done.error());
    return laid_out;
}

Result<core::Batch> SqliteBatches::publish(const BatchId& id, const Layout& layout) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    const BatchLocks::Held held(engine_->locks, id);
    BatchRow row;
    {
        auto snapshot = engine_->readers.snapshot();
        if (!snapshot) return std::unexpected(snapshot.error());
        auto found = find_batch_row(snapshot->db(), id);
        if (!found) return std::unexpected(found.error());
        row = std::move(*found);
    }
    if (row.batch.results_bytes) return row.batch;
    if (row.batch.state != core::BatchState::ended)
        return fail(ErrorCode::conflict, "the batch has not ended");

    const auto spooled = engine_->paths.spooled_results(id);
    const auto give_up = [&](const Error& error) {
        if (engine_->disk->usable()) {
            (void)engine_->disk->remove(engine_->paths.results(id));
            (void)engine_->disk->remove(spooled);
        }
        return std::unexpected(error);
    };
    const auto laid_out = lay_out(row, layout);
    if (!laid_out) return give_up(laid_out.error());
    auto named = engine_->disk->remove(engine_->paths.results(id));
    if (named) named = engine_->disk->link(spooled, engine_->paths.results(id));
    if (named) named = engine_->disk->sync_directory(engine_->paths.results());
    if (!named) return give_up(named.error());

    const auto published = engine_->writer.run([&](Tx& tx) -> Result<core::Batch> {
        auto found = tx.find_batch(id);
        if (!found) return std::unexpected(found.error());
        if (!*found) return std::unexpected(no_batch());
        BatchRow now = std::move(**found);
        now.batch.results_bytes = laid_out->line_bytes;
        if (const auto stored = tx.update(now); !stored) return std::unexpected(stored.error());
        if (const auto noted = note_batch_published(tx, now.batch); !noted)
            return std::unexpected(noted.error());
        if (layout.files) {
            for (const core::File& file :
                 layout.files(now.batch, laid_out->succeeded_bytes, laid_out->line_bytes)) {
                if (const auto kept = insert_file(tx, file); !kept) return std::unexpected(kept.error());
            }
        }
        for (const auto& [segment, count] : laid_out->records) {
            const auto dropped = tx.db.run(sql::kDropRecords, Stream::lines, segment, count);
            if (!dropped) return std::unexpected(dropped.error());
        }
        // The file tells it.
        if (const auto dropped = drop_record(tx, now.row, Stream::lines); !dropped)
            return std::unexpected(dropped.error());
        return now.batch;
    });
    if (!published) return give_up(published.error());
    set_verified(id);
    (void)engine_->disk->remove(spooled);
    if (const auto dropped = engine_->drop_dead_segments(); !dropped) {
        log::warning("segments could not be removed", {{"reason", dropped.error().message}});
    }
    return published;
}

bool SqliteBatches::is_verified(const BatchId& id) {
    const std::scoped_lock lock(mutex_);
    return verified_.contains(id);
}

void SqliteBatches::set_verified(const BatchId& id) {
    const std::scoped_lock lock(mutex_);
    if (verified_.size() >= kVerifiedMax) verified_.clear();
    verified_.insert(id);
}

Result<ResultsFile> SqliteBatches::open_results(const BatchId& id) {
    auto snapshot = engine_->readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    const auto row = find_batch_row(snapshot->db(), id);
    if (!row) return std::unexpected(row.error());
    if (row->batch.archived_at) return fail(ErrorCode::not_found, "the results were archived");
    if (!row->batch.results_bytes) return fail(ErrorCode::conflict, "the results are not laid out yet");
    if (row->batch.counts.total() == 0) return no_lines();
    auto file = open_for_read(engine_->paths.results(id));
    if (!file && file.error().code != ErrorCode::not_found) return std::unexpected(file.error());
    if (!file) {
        // Removed since the snapshot, or lost.
        auto again = engine_->readers.snapshot();
        if (!again) return std::unexpected(again.error());
        const auto still = find_batch_row(again->db(), id);
        if (!still) return std::unexpected(still.error());
        if (still->batch.archived_at) return fail(ErrorCode::not_found, "the results were archived");
        return fail(ErrorCode::corrupt, "the results file is gone");
    }
    if (!is_verified(id)) {
        const auto sound = verify_results(file->fd(), *row->batch.results_bytes, row->batch.counts.total());
        if (!sound) return std::unexpected(sound.error());
        set_verified(id);
    }
    return ResultsFile{std::make_shared<Descriptor>(file->release()), *row->batch.results_bytes};
}

Result<Engine::Ranges> SqliteBatches::ranges_of(Tx& tx, const BatchRow& row) {
    Engine::Ranges ranges;
    auto rows = tx.db.query(sql::kLinesInLog, row.first_key(), row.end_key());
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        add_range(ranges.lines, {rows->number(0), rows->as<std::uint64_t>(1),
                                 rows->as<std::uint64_t>(2) + SegmentLog::kHeaderBytes});
    }
    if (row.body_segment) {
        ranges.bodies.push_back(
            {*row.body_segment, row.body_start, row.body_bytes + SegmentLog::kHeaderBytes});
    }
    const auto head = find_record(tx.db, row.row, Stream::bodies);
    if (!head) return std::unexpected(head.error());
    if (*head)
        add_range(ranges.bodies,
                  {(*head)->segment, (*head)->start, (*head)->bytes + SegmentLog::kHeaderBytes});
    return ranges;
}

Result<Engine::Ranges> SqliteBatches::drop_contents(Tx& tx, const BatchRow& row, Timestamp now) {
    auto ranges = ranges_of(tx, row);
    if (!ranges) return ranges;
    if (!row.batch.results_bytes) {
        auto counted = tx.db.query(sql::kCountLines, row.first_key(), row.end_key());
        if (!counted) return std::unexpected(counted.error());
        for (;;) {
            const auto more = counted->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) break;
            const auto dropped =
                tx.db.run(sql::kDropRecords, Stream::lines, counted->number(0), counted->number(1));
            if (!dropped) return std::unexpected(dropped.error());
        }
    }
    if (row.body_segment) {
        const auto dropped = tx.db.run(sql::kDropRecords, Stream::bodies, *row.body_segment, 1);
        if (!dropped) return std::unexpected(dropped.error());
    }
    for (const Stream stream : {Stream::bodies, Stream::lines}) {
        if (const auto dropped = drop_record(tx, row.row, stream); !dropped)
            return std::unexpected(dropped.error());
    }
    if (const auto owed = add_owed_ranges(tx, row.batch.id, *ranges); !owed)
        return std::unexpected(owed.error());
    auto done = tx.db.run(sql::kPutRemoval, IdBytes(row.batch.id), Bytes{Engine::encode(*ranges)});
    if (done) done = tx.db.run(sql::kDeleteItems, row.first_key(), row.end_key());
    if (done) done = tx.db.run(sql::kDeletePlan, row.first_key(), row.end_key());
    if (done) done = tx.db.run(sql::kDeleteEndedOrder, row.first_key(), row.end_key());
    if (done) done = tx.db.run(sql::kRemoveFilesOfBatch, IdBytes(row.batch.id), now);
    if (!done) return std::unexpected(done.error());
    tx.erased();
    return ranges;
}

Result<> SqliteBatches::settle(const BatchId& id, const Engine::Ranges& ranges) {
    {
        const std::scoped_lock lock(mutex_);
        verified_.erase(id);
    }
    if (const auto done = engine_->finish_removal(id, ranges); !done) return done;
    return engine_->drop_dead_segments();
}

Result<core::Batch> SqliteBatches::archive(const BatchId& id, Timestamp now) {
    if (const auto ready = engine_->may_write_batches(); !ready) return std::unexpected(ready.error());
    const BatchLocks::Held held(engine_->locks, id);
    core::Batch batch;
    const auto dropped = engine_->writer.run([&](Tx& tx) -> Result<std::optional<Engine::Ranges>> {
        auto found = tx.find_batch(id);
        if (!found) return std::unexpected(found.error());
        if (!*found) return std::unexpected(no_batch());
        BatchRow row = std::move(**found);
        if (row.batch.state != core::BatchState::ended)
            return fail(ErrorCode::conflict, "the batch has not ended");
        batch = row.batch;
        if (row.batch.archived_at) return std::nullopt;
        auto ranges = drop_contents(tx, row, now);
        if (!ranges) return std::unexpected(ranges.error());
        row.batch.archived_at = now;
        row.batch.results_bytes = row.batch.results_bytes.value_or(0);
        row.body_segment.reset();
        const auto unplaced = tx.db.run(sql::kPlaceBody, row.row, row.key(row.cursor), row.body_segment, 0);
        if (!unplaced) return std::unexpected(unplaced.error());
        if (const auto stored = tx.update(row); !stored) return std::unexpected(stored.error());
        tx.lines.note({row.row, kGone}, pack_gone({id, row.row, now}));
        batch = row.batch;
        return *ranges;
    });
    if (!dropped) return std::unexpected(dropped.error());
    if (*dropped) {
        if (const auto settled = settle(id, **dropped); !settled) return std::unexpected(settled.error());
    }
    return batch;
}

Result<> SqliteBatches::remove(const BatchId& id) {
    if (const auto ready = engine_->may_write_batches(); !ready) return ready;
    const BatchLocks::Held held(engine_->locks, id);
    const auto removed = engine_->writer.run([&](Tx& tx) -> Result<Engine::Ranges> {
        const auto found = tx.find_batch(id);
        if (!found) return std::unexpected(found.error());
        if (!*found) return std::unexpected(no_batch());
        const BatchRow& row = **found;
        if (row.batch.state != core::BatchState::ended)
            return fail(ErrorCode::conflict, "the batch has not ended");
        const core::Batch& batch = row.batch;
        auto ranges =
            drop_contents(tx, row, batch.purge_at == core::kNever ? *batch.ended_at : batch.purge_at);
        if (!ranges) return ranges;
        auto done = tx.db.run(sql::kDeleteShared, row.row);
        if (done) done = tx.db.run(sql::kDeleteFactsOfBatch, IdBytes(id));
        if (done && row.batch.kind == core::BatchKind::batch) done = tx.db.run(sql::kKeepPlace, row.row);
        if (done) done = tx.db.run(sql::kDeleteBatch, row.row);
        if (!done) return std::unexpected(done.error());
        tx.lines.note({row.row, kGone}, pack_gone({id, row.row, {}}));
        tx.removed(id);
        return ranges;
    });
    if (!removed) return std::unexpected(removed.error());
    return settle(id, *removed);
}

}  // namespace sheaf::store
