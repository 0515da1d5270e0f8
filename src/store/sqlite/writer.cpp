#include "store/sqlite/writer.h"

#include <algorithm>

#include "base/log.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kGroupMax = 64;
constexpr int kCheckpointPages = 8'000;  // 32 MiB of write-ahead log
// So long the write-ahead log holds what was deleted, if writes go on and readers let go of it.
constexpr std::chrono::seconds kErasedWithin{2};

}  // namespace

Result<std::optional<BatchRow>> Tx::find_batch(const BatchId& id) {
    if (const auto found = changes_.find(id); found != changes_.end()) return found->second;
    if (const auto found = committed_.find(id); found != committed_.end()) return found->second;
    if (auto row = cache_->find(id)) return row;
    auto rows = db.query(sql::kFindBatch, IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::nullopt;
    BatchRow row = read_batch(*rows);
    cache_->put(row);
    return row;
}

Result<> Tx::update(const BatchRow& row) {
    const core::Batch& batch = row.batch;
    const core::Counts& counts = batch.counts;
    const auto done =
        db.run(sql::kUpdateBatch, row.row, batch.state, batch.end_reason, row.key(row.cursor), counts.queued,
               counts.running, counts.succeeded, counts.failed, counts.canceled, counts.expired,
               batch.ended_at, batch.results_bytes, batch.purge_at, batch.cancel_requested_at,
               batch.archived_at, batch.usage.input_tokens, batch.usage.output_tokens,
               batch.usage.cached_tokens, batch.usage.reasoning_tokens, row.plan_next);
    if (!done) return std::unexpected(done.error());
    changes_[batch.id] = row;
    return {};
}

Writer::Writer(std::unique_ptr<Connection> connection, CommitMarks marks, SegmentLog& lines,
               SegmentLog& bodies, BatchCache& cache, Disk& disk)
    : connection_(std::move(connection)),
      marks_(std::move(marks)),
      lines_(&lines),
      bodies_(&bodies),
      cache_(&cache),
      disk_(&disk),
      checkpoint_at_(kCheckpointPages) {}

Result<> Writer::commit(Work& work) {
    std::unique_lock lock(mutex_);
    waiting_.push_back(&work);
    changed_.wait(lock, [&] { return work.done || !busy_; });
    if (work.done) return std::move(work.outcome);
    busy_ = true;
    std::vector<Work*> group;
    // Our own is among them, however many wait.
    std::erase(waiting_, &work);
    group.push_back(&work);
    const auto others = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kGroupMax));
    group.insert(group.end(), waiting_.begin(), waiting_.begin() + others);
    waiting_.erase(waiting_.begin(), waiting_.begin() + others);
    lock.unlock();
    run_group(group);
    lock.lock();
    for (Work* const each : group) each->done = true;
    busy_ = false;
    changed_.notify_all();
    return std::move(work.outcome);
}

void Writer::run_group(const std::vector<Work*>& group) {
    const auto done = try_group(group);
    if (done) return;
    if (group.size() == 1 || done.error().code != ErrorCode::no_space) {
        for (Work* const work : group) work->outcome = std::unexpected(done.error());
        return;
    }
    // The disk is too full for all of them, not for each.
    for (Work* const work : group) {
        if (const auto alone = try_group({work}); !alone) work->outcome = std::unexpected(alone.error());
    }
}

Result<> Writer::set_durability(Durability durability) {
    if (durability == durability_) return {};
    const auto set = connection_->execute(durability == Durability::synced ? "PRAGMA synchronous=FULL"
                                                                           : "PRAGMA synchronous=NORMAL");
    if (set) durability_ = durability;
    return set;
}

Result<> Writer::try_group(const std::vector<Work*>& group) {
    if (const auto ready = disk_->usable(); !ready) return ready;
    const bool all_lazy =
        std::ranges::all_of(group, [](const Work* work) { return work->durability == Durability::lazy; });
    const auto set = set_durability(all_lazy ? Durability::lazy : Durability::synced);
    if (!set) return set;
    Tx tx(*connection_, *lines_, *bodies_, *cache_);
    const std::uint64_t commits_before = connection_->commits();
    auto done = connection_->command(sql::kBegin);
    if (!done) return done;
    done = apply_all(group, tx);
    if (done) done = write_logs(tx);
    if (done) {
        cache_->commit_begins();
        done = connection_->commit();
        cache_->commit_ended(done ? tx.committed_ : BatchChanges{});
    }
    if (!done) {
        if (connection_->in_transaction()) (void)connection_->run(sql::kRollback);
        for (SegmentLog* const log : {lines_, bodies_}) {
            if (const auto abandoned = log->abandon(); !abandoned) done = abandoned;
        }
        return done;
    }
    // A transaction that has changed nothing is not synced.
    if (!all_lazy && connection_->commits() != commits_before) {
        if (const auto end = connection_->log_end()) marks_.put(*end);
    }
    lines_->keep();
    bodies_->keep();
    if (tx.has_erased_ && !erased_at_) erased_at_ = SteadyClock::now();
    if (!empty_log_if_due()) checkpoint_if_due();
    return {};
}

Result<> Writer::apply_all(const std::vector<Work*>& group, Tx& tx) {
    for (Work* const work : group) {
        const SegmentLog::Mark lines = lines_->mark();
        const SegmentLog::Mark bodies = bodies_->mark();
        if (const auto begun = connection_->run(sql::kSavepoint); !begun)
            return std::unexpected(begun.error());
        work->outcome = work->apply(tx);
        if (!work->outcome) {
            // A statement that ran out of room may have rolled the whole transaction back.
            if (work->outcome.error().code == ErrorCode::no_space || !connection_->in_transaction()) {
                return work->outcome;
            }
            const auto undone = connection_->run(sql::kRollbackToSavepoint);
            if (!undone) return std::unexpected(undone.error());
            lines_->rewind(lines);
            bodies_->rewind(bodies);
        } else {
            for (auto& [id, row] : tx.changes_) tx.committed_[id] = std::move(row);
        }
        tx.changes_.clear();
        if (const auto ended = connection_->run(sql::kReleaseSavepoint); !ended) {
            return std::unexpected(ended.error());
        }
    }
    return {};
}

Result<> Writer::write_logs(Tx& tx) {
    const std::pair<Stream, SegmentLog*> logs[] = {{Stream::lines, lines_}, {Stream::bodies, bodies_}};
    for (const auto& [stream, log] : logs) {
        if (!log->has_pending()) continue;
        const auto noted =
            tx.db.run(sql::kGrowSegment, stream, log->current(), log->end(), log->pending_live());
        if (!noted) return std::unexpected(noted.error());
        if (const auto written = log->write(); !written) return written;
    }
    return {};
}

bool Writer::empty_log_if_due() {
    const auto now = SteadyClock::now();
    if (!erased_at_ || now - *erased_at_ < kErasedWithin) return false;
    const auto emptied = connection_->empty_log();
    if (!emptied) {
        log::warning("the write-ahead log could not be emptied of what was deleted",
                     {{"reason", emptied.error().message}});
    }
    if (emptied && *emptied)
        erased_at_.reset();
    else
        erased_at_ = now;
    return emptied && *emptied;
}

void Writer::checkpoint_if_due() {
    const int pages = connection_->log_pages();
    if (pages < kCheckpointPages) checkpoint_at_ = kCheckpointPages;
    if (pages < checkpoint_at_) return;
    // Readers may hold it back: then there is no use in trying again at every commit.
    checkpoint_at_ = pages + kCheckpointPages;
    if (const auto done = connection_->checkpoint(); !done) {
        log::warning("the write-ahead log could not be copied into the index",
                     {{"reason", done.error().message}});
    }
}

}  // namespace sheaf::store
