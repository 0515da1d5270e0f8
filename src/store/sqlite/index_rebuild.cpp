#include "store/sqlite/index_rebuild.h"

#include <algorithm>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "store/sqlite/batch_mender.h"
#include "store/sqlite/batch_records.h"
#include "store/sqlite/ended_order.h"
#include "store/sqlite/index_salvage.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/results_file.h"
#include "store/sqlite/segment_scan.h"
#include "store/sqlite/segment_table.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

namespace fs = std::filesystem;

// Complete, and about to take the index's place.
fs::path waiting_index(const Paths& paths) {
    return paths.root / "index.db.new";
}
// Being built.
fs::path growing_index(const Paths& paths) {
    return paths.root / "index.db.building";
}

// As they are now: what is renamed meanwhile is not met again.
Result<std::vector<fs::path>> names_in(const fs::path& directory) {
    std::vector<fs::path> names;
    const auto listed = each_name(directory, [&](const fs::path& path) -> Result<> {
        names.push_back(path);
        return {};
    });
    if (!listed) return std::unexpected(listed.error());
    std::ranges::sort(names);
    return names;
}

class Rebuild {
public:
    Rebuild(const Paths& paths, Disk& disk, Connection& db, const Repairs& how, const Listener& listener)
        : paths_(&paths), disk_(&disk), db_(&db), how_(&how), listener_(&listener) {}

    Result<> run() {
        Result<> done;
        for (const char* const table :
             {sql::kMakeTouched, sql::kMakeToldOrder, sql::kMakeSeen, sql::kMakeGone}) {
            if (done) done = run_sql(table);
        }
        if (done) done = scan(Stream::bodies, [&](const FoundRecord& record) { return take_head(record); });
        if (done) done = scan(Stream::lines, [&](const FoundRecord& record) { return take_line(record); });
        if (done) done = take_results();
        if (done) done = run_sql(sql::kDropTurnsOfPublished);
        if (done) done = settle_all();
        if (done) done = order_all();
        if (done) done = keep_unclaimed();
        // What is left of a batch that was lost is never taken for another's.
        if (done) done = run_sql(sql::kUseRowsBehind, row_max_);
        if (done) done = recount_segments(*db_, *paths_, {[](const Finding&) {}, {}});
        return done;
    }

private:
    using Visit = std::function<Result<>(const FoundRecord&)>;

    template <class... Args>
    Result<> run_sql(const char* sql, const Args&... args) {
        const auto done = db_->run(sql, args...);
        if (!done) return std::unexpected(done.error());
        return {};
    }
    Result<> scan(Stream stream, const Visit& visit);
    Result<> take_head(const FoundRecord& record);
    // Whether there was room for it.
    Result<bool> insert_batch(const BatchHead& head);
    Result<> insert_items(const BatchHead& head);
    Result<> see(Stream stream, const FoundRecord& record) {
        return run_sql(sql::kSee, stream, record.place.segment, record.name.batch);
    }
    Result<> take_line(const FoundRecord& record);
    Result<> take_outcomes(std::int64_t row, const Outcomes& outcomes);
    Result<> take_turn(const BatchTurn& turn, const Place& place);
    Result<> tell_order(std::int64_t row, std::span<const std::uint32_t> ordinals) {
        return run_sql(sql::kTellOrder, row, ++told_, pack_ordinals(ordinals));
    }
    // The batch of a row, if it is this one.
    Result<bool> is_of(std::int64_t row, const BatchId& id);
    Result<bool> is_new(std::int64_t row);
    Result<> touch(std::int64_t row) { return run_sql(sql::kTouch, row, 0); }
    Result<> forget_batch(const BatchGone& gone);

    Result<> take_results();
    Result<> take_results_of(const BatchId& id, const fs::path& path);
    Result<> insert_files(const BatchRow& row, int fd);
    Result<std::optional<BatchRow>> find(const BatchId& id);

    Result<> settle_all();
    Result<> settle(BatchRow row, bool was_lost);
    // The order in which results became durable.
    Result<> order_all();
    Result<std::vector<std::uint32_t>> told_order(std::int64_t row);
    // A second name for segments that hold something of batches that nothing is known of: a start removes
    // those that no row refers to.
    Result<> keep_unclaimed();

    const Paths* paths_;
    Disk* disk_;
    Connection* db_;
    const Repairs* how_;
    const Listener* listener_;
    std::int64_t told_ = 0;
    std::int64_t row_max_ = 0;
};

Result<> Rebuild::scan(Stream stream, const Visit& visit) {
    const auto names = names_in(stream == Stream::lines ? paths_->log() : paths_->bodies());
    if (!names) return std::unexpected(names.error());
    for (const fs::path& path : *names) {
        const auto number = SegmentLog::number_of(path);
        if (!number) continue;
        std::error_code unreadable;
        const std::uint64_t bytes = fs::file_size(path, unreadable);
        if (unreadable) continue;
        // How many of its records are in use is counted later.
        if (const auto known = run_sql(sql::kSetSegment, stream, *number, bytes, 0); !known) return known;
        const auto count_and_visit = [&](const FoundRecord& record) -> Result<> {
            row_max_ = std::max(row_max_, record.name.batch);
            return visit(record);
        };
        if (const auto scanned = scan_segment(path, *number, count_and_visit); !scanned) return scanned;
    }
    return {};
}

Result<> Rebuild::take_head(const FoundRecord& record) {
    if (record.name.ordinal == kWholeBody) return see(Stream::bodies, record);
    if (record.name.ordinal != kHead) return {};
    const auto bytes = record.read();
    if (!bytes) return std::unexpected(bytes.error());
    const auto head = unpack_head(*bytes);
    if (!head || head->row != record.name.batch) return {};
    const auto known = find(head->batch.id);
    if (!known) return std::unexpected(known.error());
    if (*known && (*known)->row != head->row) return {};
    // A name is all that is left of it.
    if (*known && (*known)->batch.archived_at) return {};
    if (!*known) {
        const auto added = insert_batch(*head);
        if (!added) return std::unexpected(added.error());
        // Its row is another's: it was written and never acknowledged.
        if (!*added) return {};
    }
    if (const auto added = run_sql(sql::kRestoreShared, head->row, head->batch.shared); !added) return added;
    if (const auto added = insert_items(*head); !added) return added;
    return run_sql(sql::kInsertRecord, head->row, Stream::bodies, record.place.segment, record.place.start,
                   record.place.bytes);
}

Result<bool> Rebuild::insert_batch(const BatchHead& head) {
    const core::Batch& batch = head.batch;
    const auto row = head.row;
    const auto added = db_->run(sql::kRestoreBatch, row, IdBytes(batch.id), batch.account.name, batch.dialect,
                                batch.kind, batch.model, batch.tag, batch.state, batch.end_reason, row << 20,
                                head.items.size(), batch.created_at, batch.expires_at, batch.purge_at,
                                head.body_segment, head.body_start, head.body_bytes, batch.keep_for.count(),
                                batch.archive_at, batch.ended_at, batch.item_events);
    if (!added) return std::unexpected(added.error());
    if (*added == 0) return false;
    if (const auto touched = run_sql(sql::kTouch, row, 1); !touched) return std::unexpected(touched.error());
    return true;
}

Result<> Rebuild::insert_items(const BatchHead& head) {
    for (std::size_t at = 0; at < head.items.size(); ++at) {
        const BatchHead::Item& item = head.items[at];
        const auto about = subject_key(head.batch.account, item.subject);
        const auto subject = about ? std::optional<std::string_view>(item.subject.text) : std::nullopt;
        std::optional<std::int64_t> name;
        if (head.items_named && item.custom_id) name = name_key(head.batch.id, *item.custom_id);
        const auto added =
            db_->run(sql::kRestoreItem, (head.row << 20) | static_cast<std::int64_t>(at), item.body_offset,
                     item.body_bytes, item.body_crc, item.custom_id, subject, about, name);
        if (!added) return std::unexpected(added.error());
        if (*added == 0) continue;
        if (const auto touched = touch(head.row); !touched) return touched;
    }
    return {};
}

Result<bool> Rebuild::is_of(std::int64_t row, const BatchId& id) {
    auto rows = db_->query(sql::kIdOfRow, row);
    if (!rows) return std::unexpected(rows.error());
    const auto found = rows->next();
    if (!found) return std::unexpected(found.error());
    return *found && batch_id(rows->bytes(0)) == id;
}

Result<bool> Rebuild::is_new(std::int64_t row) {
    auto rows = db_->query(sql::kIsNew, row);
    if (!rows) return std::unexpected(rows.error());
    return rows->next();
}

Result<> Rebuild::take_line(const FoundRecord& record) {
    const std::int64_t row = record.name.batch;
    if (record.name.ordinal < kItemsMax) {
        // What it says of its state stands behind it.
        const std::int64_t key = (row << 20) | record.name.ordinal;
        const auto set =
            db_->run(sql::kFoundLine, key, record.place.segment, record.place.start, record.place.bytes);
        if (!set) return std::unexpected(set.error());
        if (*set > 0) return {};
        auto rows = db_->query(sql::kHasItem, key);
        if (!rows) return std::unexpected(rows.error());
        const auto is_there = rows->next();
        if (!is_there) return std::unexpected(is_there.error());
        return *is_there ? Result<>{} : see(Stream::lines, record);
    }
    if (record.name.ordinal != kOutcomes && record.name.ordinal != kTurn && record.name.ordinal != kGone)
        return {};
    const auto bytes = record.read();
    if (!bytes) return std::unexpected(bytes.error());
    if (record.name.ordinal == kGone) {
        const auto gone = unpack_gone(*bytes);
        return gone ? forget_batch(*gone) : Result<>{};
    }
    if (record.name.ordinal == kTurn) {
        const auto turn = unpack_turn(*bytes);
        return turn ? take_turn(*turn, record.place) : Result<>{};
    }
    const auto outcomes = unpack_outcomes(*bytes);
    return outcomes ? take_outcomes(row, *outcomes) : Result<>{};
}

Result<> Rebuild::take_outcomes(std::int64_t row, const Outcomes& outcomes) {
    const auto ours = is_of(row, outcomes.batch);
    if (!ours) return std::unexpected(ours.error());
    if (!*ours) return {};
    std::vector<std::uint32_t> ordinals;
    for (const Outcome& outcome : outcomes.items) ordinals.push_back(outcome.ordinal);
    if (const auto told = tell_order(row, ordinals); !told) return told;
    core::Usage more;
    bool is_news = false;
    for (const Outcome& outcome : outcomes.items) {
        const auto set =
            db_->run(sql::kFoundOutcome, (row << 20) | outcome.ordinal, outcome.state, outcome.finished_at,
                     outcome.usage.input_tokens, outcome.usage.output_tokens);
        if (!set) return std::unexpected(set.error());
        if (*set == 0) continue;
        is_news = true;
        more += outcome.usage;
    }
    if (!is_news) return {};
    if (const auto touched = touch(row); !touched) return touched;
    return run_sql(sql::kFoundUsage, row, more.cached_tokens, more.reasoning_tokens);
}

// What a removal left to do is done when the store is opened.
Result<> Rebuild::forget_batch(const BatchGone& gone) {
    if (const auto noted = run_sql(sql::kGo, gone.row); !noted) return noted;
    const auto ours = is_of(gone.row, gone.batch);
    if (!ours) return std::unexpected(ours.error());
    if (!*ours) return {};
    const auto row = find(gone.batch);
    if (!row) return std::unexpected(row.error());
    Engine::Ranges ranges;
    if ((*row)->body_segment)
        ranges.bodies.push_back(
            {*(*row)->body_segment, (*row)->body_start, (*row)->body_bytes + SegmentLog::kHeaderBytes});
    const auto head = find_record(*db_, gone.row, Stream::bodies);
    if (!head) return std::unexpected(head.error());
    if (*head)
        ranges.bodies.push_back(
            {(*head)->segment, (*head)->start, (*head)->bytes + SegmentLog::kHeaderBytes});
    const std::int64_t first = gone.row << 20;
    const std::int64_t end = (gone.row + 1) << 20;
    {
        auto rows = db_->query(sql::kLinesInLog, first, end);
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) break;
            ranges.lines.push_back({rows->number(0), rows->as<std::uint64_t>(1),
                                    rows->as<std::uint64_t>(2) + SegmentLog::kHeaderBytes});
        }
    }
    auto done = run_sql(sql::kPutRemoval, IdBytes(gone.batch), Bytes{Engine::encode(ranges)});
    for (const char* const statement :
         {sql::kDeleteItems, sql::kDeletePlan, sql::kDeleteLeases, sql::kDeleteEndedOrder}) {
        if (done) done = run_sql(statement, first, end);
    }
    if (done) done = run_sql(sql::kRemoveFilesOfBatch, IdBytes(gone.batch), how_->now);
    for (const Stream stream : {Stream::lines, Stream::bodies}) {
        if (done) done = run_sql(sql::kDeleteRecord, gone.row, stream);
    }
    // How it ended only its row can say: one that is made of its head would begin again.
    if (done && gone.archived_at && (*row)->batch.state == core::BatchState::ended)
        return run_sql(sql::kFoundArchived, gone.row, *gone.archived_at);
    for (const char* const statement : {sql::kDeleteShared, sql::kDeleteBatch}) {
        if (done) done = run_sql(statement, gone.row);
    }
    return done;
}

Result<> Rebuild::take_turn(const BatchTurn& turn, const Place& place) {
    const auto ours = is_of(turn.row, turn.batch);
    if (!ours) return std::unexpected(ours.error());
    if (!*ours) return {};
    const auto kept =
        run_sql(sql::kInsertRecord, turn.row, Stream::lines, place.segment, place.start, place.bytes);
    if (!kept) return kept;
    const auto set = db_->run(sql::kFoundTurn, turn.row, turn.state, turn.end_reason,
                              turn.cancel_requested_at, turn.ended_at, turn.purge_at);
    if (!set) return std::unexpected(set.error());
    return *set > 0 ? touch(turn.row) : Result<>{};
}

Result<std::optional<BatchRow>> Rebuild::find(const BatchId& id) {
    auto rows = db_->query(sql::kFindBatch, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    const auto found = rows->next();
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::nullopt;
    return read_batch(*rows);
}

Result<> Rebuild::take_results() {
    const auto names = names_in(paths_->results());
    if (!names) return std::unexpected(names.error());
    for (const fs::path& path : *names) {
        const auto id = path.extension() == ".jsonl" ? parse_batch_id(path.stem().string()) : std::nullopt;
        if (!id) continue;
        if (const auto taken = take_results_of(*id, path); !taken) return taken;
    }
    return {};
}

Result<> Rebuild::take_results_of(const BatchId& id, const fs::path& path) {
    auto row = find(id);
    if (!row) return std::unexpected(row.error());
    if (!*row || (*row)->batch.archived_at) return {};
    const auto file = open_for_read(path);
    if (!file) return std::unexpected(file.error());
    const auto bytes = read_ending(file->fd());
    const auto ended = bytes ? unpack_ended(*bytes) : std::nullopt;
    const auto restored = is_new((*row)->row);
    if (!restored) return std::unexpected(restored.error());
    if (!ended || ended->turn.batch != id) {
        // Laid out anew when its items have run again; what is there stays beside.
        return *restored ? rename_file(path, put_aside_name(path, how_->now), path.string()) : Result<>{};
    }
    if (const auto told = tell_order((*row)->row, ended->order); !told) return told;
    for (const Outcome& outcome : ended->items) {
        const auto set =
            db_->run(sql::kFoundEnding, (*row)->key(outcome.ordinal), outcome.state, outcome.finished_at,
                     outcome.usage.input_tokens, outcome.usage.output_tokens);
        if (!set) return std::unexpected(set.error());
        if (*set == 0) continue;
        if (const auto touched = touch((*row)->row); !touched) return touched;
    }
    if (!*restored && (*row)->batch.results_bytes) return {};
    const auto size = size_of(file->fd());
    const auto count = static_cast<std::uint32_t>(ended->items.size());
    const auto lines = size ? line_bytes_of(file->fd(), *size, count) : std::nullopt;
    if (!lines) return {};
    BatchRow& batch = **row;
    batch.batch.results_bytes = lines;
    const auto& turn = ended->turn;
    auto done = touch(batch.row);
    if (done)
        done = run_sql(sql::kFoundResults, batch.row, turn.end_reason, turn.cancel_requested_at,
                       turn.ended_at, turn.purge_at, *lines, turn.usage.input_tokens,
                       turn.usage.output_tokens, turn.usage.cached_tokens, turn.usage.reasoning_tokens);
    if (done) done = insert_files(batch, file->fd());
    return done;
}

// The files that clients read the results by, should their rows be lost.
Result<> Rebuild::insert_files(const BatchRow& row, int fd) {
    if (!how_->speaks(row.batch)) return {};
    const Batches::Layout layout = how_->layout(row.batch);
    if (!layout.files) return {};
    std::uint64_t succeeded_bytes = 0;
    {
        auto rows = db_->query(sql::kSucceededOf, row.first_key(), row.end_key());
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) break;
            const auto line = read_result(fd, *row.batch.results_bytes, ordinal_of(rows->number(0)));
            if (line) succeeded_bytes += line->size();
        }
    }
    for (const core::File& file : layout.files(row.batch, succeeded_bytes, *row.batch.results_bytes)) {
        const auto added = run_sql(sql::kInsertFile, IdBytes(file.id), file.account.name, file.purpose,
                                   file.filename, file.bytes, file.created_at, file.expires_at, file.blob_key,
                                   IdBytes(row.batch.id), file.offset);
        if (!added) return added;
    }
    return {};
}

Result<> Rebuild::settle_all() {
    for (std::int64_t last = 0;;) {
        BatchRow row;
        bool was_lost = false;
        {
            auto rows = db_->query(sql::kNextTouched, last);
            if (!rows) return std::unexpected(rows.error());
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) return {};
            row = read_batch(*rows);
            was_lost = rows->number(sql::kBatchColumnCount) != 0;
        }
        last = row.row;
        if (const auto settled = settle(std::move(row), was_lost); !settled) return settled;
    }
}

// What follows of the records for the batch as a whole.
Result<> Rebuild::settle(BatchRow row, bool was_lost) {
    core::Batch& batch = row.batch;
    // A line whose state is not told was never acknowledged.
    auto done = run_sql(sql::kDropPlaces, row.first_key(), row.end_key());
    if (done) done = run_sql(sql::kDropEndedLeases, row.first_key(), row.end_key());
    if (!done) return done;
    const bool was_stopped =
        batch.state == core::BatchState::canceling || batch.state == core::BatchState::ended;
    if (was_stopped) {
        // One without a result in a batch that ran to its end had one; that it is lost is found when it is
        // looked for.
        const auto state = batch.end_reason == core::EndReason::expired     ? core::ItemState::expired
                           : batch.end_reason == core::EndReason::completed ? core::ItemState::failed
                                                                            : core::ItemState::canceled;
        const auto at = batch.ended_at.value_or(how_->now);
        done = run_sql(sql::kEndItems, row.first_key(), row.end_key(), state, at);
        if (!done) return done;
    }
    core::Counts& counts = batch.counts;
    counts = {};
    if (!batch.results_bytes) batch.usage.input_tokens = batch.usage.output_tokens = 0;
    Timestamp last_end = batch.created_at;
    {
        auto rows = db_->query(sql::kSumItems, row.first_key(), row.end_key());
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) break;
            const auto state = rows->as<core::ItemState>(0);
            if (state <= core::ItemState::expired) counts.of(state) = rows->as<std::uint32_t>(1);
            last_end = std::max(last_end, rows->time(2));
            if (batch.results_bytes) continue;
            batch.usage.input_tokens += rows->as<std::uint64_t>(3);
            batch.usage.output_tokens += rows->as<std::uint64_t>(4);
        }
    }
    const bool has_begun = counts.total() > counts.queued;
    if (counts.queued > 0 && has_begun) {
        // Which of them were claimed is not known: all are handed out as those whose holder was lost.
        done = run_sql(sql::kLendUnfinished, row.first_key(), row.end_key());
        if (done) done = run_sql(sql::kDeletePlan, row.first_key(), row.end_key());
        if (!done) return done;
        row.plan_next.reset();
        row.cursor = counts.total();
        counts.running = std::exchange(counts.queued, 0);
        batch.state = core::BatchState::running;
    }
    if (batch.state != core::BatchState::ended && counts.total() > 0 && counts.unfinished() == 0)
        batch = *core::after_event(std::move(batch), core::BatchEvent::drained, last_end);
    if (was_lost)
        listener_->found({.fault = Fault::batch_rebuilt,
                          .detail = fmt::format("{} of {} items have ended",
                                                counts.total() - counts.unfinished(), counts.total()),
                          .batch = &batch});
    return run_sql(sql::kUpdateBatch, row.row, batch.state, batch.end_reason, row.key(row.cursor),
                   counts.queued, counts.running, counts.succeeded, counts.failed, counts.canceled,
                   counts.expired, batch.ended_at, batch.results_bytes, batch.purge_at,
                   batch.cancel_requested_at, batch.archived_at, batch.usage.input_tokens,
                   batch.usage.output_tokens, batch.usage.cached_tokens, batch.usage.reasoning_tokens,
                   row.plan_next);
}

Result<> Rebuild::order_all() {
    return each_batch(*db_, [&](const BatchRow& row) -> Result<> {
        const auto told = told_order(row.row);
        if (!told) return std::unexpected(told.error());
        return mend_ended_order(*db_, row, *told);
    });
}

Result<std::vector<std::uint32_t>> Rebuild::told_order(std::int64_t row) {
    std::vector<std::uint32_t> ordinals;
    auto rows = db_->query(sql::kToldOrder, row);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return ordinals;
        unpack_ordinals(rows->bytes(0), ordinals);
    }
}

Result<> Rebuild::keep_unclaimed() {
    auto rows = db_->query(sql::kUnclaimedSegments);
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto more = rows->next();
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        const fs::path path = paths_->root / SegmentTable::file_of({rows->as<Stream>(0), rows->number(1)});
        const fs::path kept = put_aside_name(path, how_->now);
        std::error_code ignored;
        if (fs::exists(kept, ignored)) continue;
        if (const auto linked = disk_->link(path, kept); !linked) return linked;
        if (const auto synced = disk_->sync_directory(path.parent_path()); !synced) return synced;
    }
}

// A second name for the old index and its logs, so that nothing is lost whenever we end.
Result<> keep_old_index(const Paths& paths, Disk& disk, Timestamp now) {
    const fs::path aside = put_aside_name(paths.root / "index", now);
    for (const char* const suffix : {"", "-wal"}) {
        const fs::path old = paths.index().string() + suffix;
        const fs::path kept = aside.string() + suffix;
        std::error_code ignored;
        if (!fs::exists(old, ignored) || fs::exists(kept, ignored)) continue;
        if (const auto linked = disk.link(old, kept); !linked) return linked;
    }
    return disk.sync_directory(paths.root);
}

// What can be saved of the damaged index, where there is one that can be opened.
Result<> salvage(const Paths& paths, Disk& disk, Connection& fresh, Connection::Mode mode,
                 Result<> (*rows)(Connection& damaged, Connection& fresh)) {
    std::error_code ignored;
    if (!fs::exists(paths.index(), ignored)) return {};
    const auto opened = Connection::open(paths.index(), mode, disk);
    const auto version = opened ? schema_version(**opened) : std::unexpected(opened.error());
    if (!version)
        return version.error().code == ErrorCode::corrupt ? Result<>{} : std::unexpected(version.error());
    return *version == 0 ? Result<>{} : rows(**opened, fresh);
}

}  // namespace

Result<> rebuild_index(const Paths& paths, Disk& disk, const Repairs& how, const Listener& listener) {
    const fs::path path = growing_index(paths);
    for (const char* const suffix : {"", "-wal", "-shm"}) {
        if (const auto gone = disk.remove(path.string() + suffix); !gone) return gone;
    }
    {
        const auto made = disk.create(path);
        if (!made) return std::unexpected(made.error());
    }
    {
        auto db = Connection::open(path, Connection::Mode::write, disk);
        if (!db) return std::unexpected(db.error());
        auto done = migrate(**db);
        if (done) done = (*db)->command(sql::kBegin);
        if (done) done = salvage(paths, disk, **db, Connection::Mode::look, salvage_rows);
        if (done) done = (*db)->execute(sql::kDropUnsound);
        if (done) done = Rebuild(paths, disk, **db, how, listener).run();
        // Of pages whose checks do not fit: a key with a flipped bit is worth more than none.
        if (done)
            done = salvage(paths, disk, **db, Connection::Mode::look_past_checks, salvage_what_is_missing);
        if (done) done = (*db)->execute(sql::kDropUnsound);
        if (done) done = (*db)->command(sql::kCommit);
        if (!done) return done;
    }
    std::error_code ignored;
    if (fs::exists(path.string() + "-wal", ignored))
        return fail(ErrorCode::unavailable, "the new index could not be brought into one file");
    {
        const auto file = open_for_read(path);
        if (!file) return std::unexpected(file.error());
        if (const auto synced = disk.sync(file->fd(), "the new index"); !synced) return synced;
    }
    if (const auto kept = keep_old_index(paths, disk, how.now); !kept) return kept;
    if (const auto named = rename_file(path, waiting_index(paths), path.string()); !named) return named;
    if (const auto synced = disk.sync_directory(paths.root); !synced) return synced;
    return take_rebuilt_index(paths, disk);
}

bool is_rebuilt_index_waiting(const Paths& paths) {
    std::error_code ignored;
    return fs::exists(waiting_index(paths), ignored);
}

Result<> take_rebuilt_index(const Paths& paths, Disk& disk) {
    // The log of the old one would be read into the new one.
    for (const char* const suffix : {"-wal", "-shm"}) {
        if (const auto gone = disk.remove(paths.index().string() + suffix); !gone) return gone;
    }
    if (const auto synced = disk.sync_directory(paths.root); !synced) return synced;
    if (const auto named = rename_file(waiting_index(paths), paths.index(), "the new index"); !named)
        return named;
    return disk.sync_directory(paths.root);
}

}  // namespace sheaf::store
