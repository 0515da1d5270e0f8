#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "store/sqlite/batch_cache.h"
#include "store/sqlite/database.h"
#include "store/sqlite/disk.h"
#include "store/sqlite/readers.h"
#include "store/sqlite/removal_gate.h"
#include "store/sqlite/segments.h"
#include "store/sqlite/writer.h"
#include "store/stores.h"

namespace sheaf::store {

// Where things lie under the data directory.
//
// - LOCK: held by the server.
// - HOLD: held by whoever takes bytes off the disk, or keeps others from it (removal_gate.h).
// - index.db: SQLite: everything but bytes.
// - index.db-mark: how much of SQLite's write-ahead log is durable (commit_marks.h).
// - bodies/<batch>: the body of a create; small ones share bodies/NNNNNNNN.seg.
// - log/NNNNNNNN.seg: result lines as they come in, of all batches.
// - results/<batch>.jsonl: the lines of an ended batch, laid out in order.
// - spool/: what is being written; a name left here by a crash is a debt that open() settles.
struct Paths {
    std::filesystem::path root;

    std::filesystem::path index() const { return root / "index.db"; }
    std::filesystem::path commit_mark() const { return root / "index.db-mark"; }
    std::filesystem::path spool() const { return root / "spool"; }
    std::filesystem::path bodies() const { return root / "bodies"; }
    std::filesystem::path log() const { return root / "log"; }
    std::filesystem::path results() const { return root / "results"; }

    std::filesystem::path body(const BatchId& id) const { return bodies() / to_string(id); }
    std::filesystem::path results(const BatchId& id) const { return results() / (to_string(id) + ".jsonl"); }
    // Beside the file of the same batch from before it gets its name until after the commit that refers to
    // it.
    std::filesystem::path spooled_body(const BatchId& id) const {
        return spool() / (to_string(id) + ".body");
    }
    std::filesystem::path spooled_results(const BatchId& id) const {
        return spool() / (to_string(id) + ".results");
    }
};

// Keeps two threads from laying out or removing one batch at once.
class BatchLocks {
public:
    class Held {
    public:
        Held(BatchLocks& locks, const BatchId& id);
        ~Held();
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;

    private:
        BatchLocks* locks_;
        BatchId id_;
    };

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<BatchId> held_;
};

// What the ports of the SQLite store share: files, index, logs, and how they are brought into order at the
// start.
class Engine {
public:
    static Result<std::unique_ptr<Engine>> open(const SqliteOptions& options, std::unique_ptr<Disk> disk);

    // unavailable: the store is broken, or opened beside a server, which owns all batches.
    Result<> may_write_batches() const;
    // Removes segment files that no row refers to any more. While a backup is under way it is put off.
    Result<> drop_dead_segments();
    // Takes the bytes of a removed batch off the disk. `ranges` are those in shared segments. Put off
    // likewise, and when it cannot be done now.
    struct Ranges {
        std::vector<SegmentLog::Range> lines;
        std::vector<SegmentLog::Range> bodies;
    };
    Result<> finish_removal(const BatchId& id, const Ranges& ranges);
    // What was put off, if anything was.
    Result<> settle_what_was_put_off();
    static std::string encode(const Ranges& ranges);
    static Ranges decode(std::string_view bytes);

    const bool exclusive;
    const Paths paths;
    const std::unique_ptr<Disk> disk;

private:
    File lock_;
    std::unique_ptr<RemovalGate> gate_;
    std::atomic<bool> was_put_off_ = false;
    File log_index_;  // closed after the last connection

public:
    BatchCache cache;
    BatchLocks locks;
    SegmentLog lines;
    SegmentLog bodies;
    Readers readers;
    Writer writer;

private:
    Engine(bool is_exclusive, Paths where, std::unique_ptr<Disk> on, File lock,
           std::unique_ptr<RemovalGate> gate, std::unique_ptr<Connection> connection, CommitMarks marks);
    Result<> recover();
    Result<> resume(Stream stream, SegmentLog& log);
    Result<> settle_spool();
    Result<> settle_removals();
    Result<> take_off_disk(const BatchId& id, const Ranges& ranges);
};

}  // namespace sheaf::store
