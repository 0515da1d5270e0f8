#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/steady_clock.h"
#include "store/sqlite/batch_cache.h"
#include "store/sqlite/commit_marks.h"
#include "store/sqlite/database.h"
#include "store/sqlite/segments.h"

namespace sheaf::store {

// What the body of a write transaction works on. Records appended to the logs are on the disk before the
// index commits.
class Tx {
public:
    Connection& db;
    SegmentLog& lines;
    SegmentLog& bodies;

    Result<std::optional<BatchRow>> find_batch(const BatchId& id);
    // Stores what may change in a batch: state, reason, counts, cursor, end, results.
    Result<> update(const BatchRow& row);
    // Tells that a batch was inserted, or removed.
    void inserted(const BatchRow& row) { changes_[row.batch.id] = row; }
    void removed(const BatchId& id) { changes_[id] = std::nullopt; }
    // Tells that something was deleted of which no byte may be left.
    void erased() { has_erased_ = true; }

private:
    friend class Writer;
    Tx(Connection& connection, SegmentLog& line_log, SegmentLog& body_log, BatchCache& cache)
        : db(connection), lines(line_log), bodies(body_log), cache_(&cache) {}

    BatchCache* cache_;
    BatchChanges changes_;    // of the work under way
    BatchChanges committed_;  // of the works before it in the same group
    bool has_erased_ = false;
};

// When a transaction's effect is on the disk.
enum class Durability : std::uint8_t {
    synced,  // when run() returns
    // With the next synced transaction: safe from a crash of the process at once, from one of the machine
    // then.
    lazy,
};

// Everything that writes. What waits while a commit is being synced is committed together by the next sync.
// Threads: any.
class Writer {
public:
    Writer(std::unique_ptr<Connection> connection, CommitMarks marks, SegmentLog& lines, SegmentLog& bodies,
           BatchCache& cache, Disk& disk);

    // Runs `apply(Tx&)`, which gives a Result, in a transaction: it takes effect, durably, if it succeeds,
    // and not at all if it fails. It may run more than once, on the caller's thread or another's, while the
    // caller waits.
    template <class F>
    auto run(F apply, Durability durability = Durability::synced) -> std::invoke_result_t<F&, Tx&> {
        using R = std::invoke_result_t<F&, Tx&>;
        std::optional<R> result;
        Work work{[&](Tx& tx) -> Result<> {
                      result.emplace(apply(tx));
                      if (!*result) return std::unexpected(result->error());
                      return {};
                  },
                  durability,
                  {},
                  false};
        if (auto done = commit(work); !done) return std::unexpected(std::move(done.error()));
        return std::move(*result);
    }

private:
    struct Work {
        std::function<Result<>(Tx&)> apply;
        Durability durability;
        Result<> outcome;
        bool done = false;
    };
    Result<> commit(Work& work);
    void run_group(const std::vector<Work*>& group);
    // The error of the group as a whole; then nothing took effect.
    Result<> try_group(const std::vector<Work*>& group);
    Result<> apply_all(const std::vector<Work*>& group, Tx& tx);
    Result<> write_logs(Tx& tx);
    Result<> set_durability(Durability durability);
    void checkpoint_if_due();
    bool empty_log_if_due();

    std::unique_ptr<Connection> connection_;
    CommitMarks marks_;
    SegmentLog* lines_;
    SegmentLog* bodies_;
    BatchCache* cache_;
    Disk* disk_;
    int checkpoint_at_;
    // Since when the write-ahead log has held what was deleted; from the start, for a life before may have
    // left some.
    std::optional<std::chrono::steady_clock::time_point> erased_at_ = SteadyClock::now();
    Durability durability_ = Durability::synced;  // of the connection's next commit

    std::mutex mutex_;
    std::condition_variable changed_;
    bool busy_ = false;  // one thread is committing, for itself and others
    std::vector<Work*> waiting_;
};

}  // namespace sheaf::store
