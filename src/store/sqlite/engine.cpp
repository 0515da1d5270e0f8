#include "store/sqlite/engine.h"

#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/log.h"
#include "store/sqlite/commit_marks.h"
#include "store/sqlite/directory_lock.h"
#include "store/sqlite/half_made.h"
#include "store/sqlite/index_rebuild.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

constexpr std::size_t kCachedBatches = 4096;

// SQLite creates its files without looking at what the sync of their directory says; so they are made here.
Result<> make_index_file(const std::string& path, Disk& disk) {
    const File file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file) return fail(ErrorCode::unavailable, "cannot create " + path + ": " + std::strerror(errno));
    return disk.sync(file.fd(), path);
}

// Before SQLite has the database open in this process. Afterwards the file must not be touched: closing any
// descriptor of it drops the locks that SQLite holds on it (fcntl(2)), and another process would take itself
// for the last user and remove the write-ahead log under us.
Result<> make_index_files(const Paths& paths, Disk& disk) {
    for (const char* const suffix : {"", "-wal"}) {
        if (const auto made = make_index_file(paths.index().string() + suffix, disk); !made) return made;
    }
    return disk.sync_directory(paths.root);
}

// SQLite holds no lock on the write-ahead log itself.
Result<> make_write_ahead_log(const Paths& paths, Disk& disk) {
    if (const auto made = make_index_file(paths.index().string() + "-wal", disk); !made) return made;
    return disk.sync_directory(paths.root);
}

// SQLite makes its index of the write-ahead log longer in the middle of a commit whose frames are durable by
// then. On a full disk that would leave a commit of which nobody knows whether it is there: so there is room
// from the start. The file must stay open for as long as SQLite has it: closing any descriptor of it drops
// SQLite's locks.
Result<File> reserve_log_index(const Paths& paths, Disk& disk) {
    constexpr std::uint64_t kBytes = std::uint64_t{512} << 10;  // for a log of 256 MiB
    const auto path = paths.index().string() + "-shm";
    File file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file) return fail(ErrorCode::unavailable, "cannot open " + path + ": " + std::strerror(errno));
    if (const auto reserved = disk.reserve(file.fd(), kBytes); !reserved)
        return std::unexpected(reserved.error());
    return file;
}

bool has_bytes(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::file_size(path, error) > 0 && !error;
}

// Where batches are: an index that were made now would know nothing of them, and write over them.
bool lacks_index(const Paths& paths) {
    if (has_bytes(paths.index()) || has_bytes(paths.index().string() + "-wal")) return false;
    for (const auto& directory : {paths.bodies(), paths.log(), paths.results()}) {
        std::error_code error;
        if (!std::filesystem::is_empty(directory, error) && !error) return true;
    }
    return false;
}

std::optional<BatchId> id_of_spooled(const std::filesystem::path& path) {
    return parse_batch_id(path.stem().string());
}

}  // namespace

BatchLocks::Held::Held(BatchLocks& locks, const BatchId& id) : locks_(&locks), id_(id) {
    std::unique_lock lock(locks_->mutex_);
    locks_->changed_.wait(lock, [&] { return !locks_->held_.contains(id_); });
    locks_->held_.insert(id_);
}

BatchLocks::Held::~Held() {
    const std::scoped_lock lock(locks_->mutex_);
    locks_->held_.erase(id_);
    locks_->changed_.notify_all();
}

Engine::Engine(bool is_exclusive, Paths where, std::unique_ptr<Disk> on, File lock,
               std::unique_ptr<RemovalGate> gate, std::unique_ptr<Connection> connection, CommitMarks marks)
    : exclusive(is_exclusive),
      paths(std::move(where)),
      disk(std::move(on)),
      lock_(std::move(lock)),
      gate_(std::move(gate)),
      cache(kCachedBatches),
      lines(*disk, paths.log()),
      bodies(*disk, paths.bodies()),
      readers(paths.index(), *disk),
      writer(std::move(connection), std::move(marks), lines, bodies, cache, *disk) {}

Result<std::unique_ptr<Engine>> Engine::open(const SqliteOptions& options, std::unique_ptr<Disk> disk) {
    std::error_code error;
    const Paths paths{std::filesystem::absolute(options.directory, error)};
    std::filesystem::create_directories(paths.root.parent_path(), error);
    if (error)
        return fail(ErrorCode::unavailable, "cannot make " + paths.root.string() + ": " + error.message());
    if (is_half_made(paths.root))
        return fail(ErrorCode::unavailable, paths.root.string() + " is a half-made backup");
    for (const auto& directory : {paths.root, paths.spool(), paths.bodies(), paths.log(), paths.results()}) {
        if (const auto made = disk->make_directory(directory); !made) return std::unexpected(made.error());
    }
    File lock;
    if (options.exclusive) {
        auto taken = lock_directory(paths.root);
        if (!taken) return fail(ErrorCode::unavailable, std::move(taken.error().message));
        lock = std::move(*taken);
    }
    if (is_rebuilt_index_waiting(paths)) {
        if (!options.exclusive)
            return fail(ErrorCode::unavailable, "a repair of " + paths.root.string() +
                                                    " was cut off; repeat it, or start the server");
        if (const auto taken = take_rebuilt_index(paths, *disk); !taken)
            return std::unexpected(taken.error());
    }
    if (lacks_index(paths))
        return fail(ErrorCode::unavailable,
                    fmt::format("the index of {0} is missing, and there are batches: 'sheaf fsck --repair "
                                "--data {0}' builds it anew",
                                paths.root.string()));
    const auto lost = find_lost_commits(paths);
    // Beside a server the log may go while it is looked at.
    if (!lost && options.exclusive) return std::unexpected(lost.error());
    if (lost && *lost) return std::unexpected(lost_commits(paths, **lost));
    auto gate = RemovalGate::open(paths.root);
    if (!gate) return std::unexpected(gate.error());
    if (const auto made = make_index_files(paths, *disk); !made) return std::unexpected(made.error());
    auto connection = Connection::open(paths.index(), Connection::Mode::write, *disk);
    if (!connection) return std::unexpected(connection.error());
    if (const auto migrated = migrate(**connection); !migrated) return std::unexpected(migrated.error());
    // Opening may have made the write-ahead log anew.
    if (const auto made = make_write_ahead_log(paths, *disk); !made) return std::unexpected(made.error());

    CommitMarks marks(paths, *disk);
    std::unique_ptr<Engine> engine(new Engine(options.exclusive, paths, std::move(disk), std::move(lock),
                                              std::move(*gate), std::move(*connection), std::move(marks)));
    if (options.exclusive) {
        auto log_index = reserve_log_index(paths, *engine->disk);
        if (!log_index) return std::unexpected(log_index.error());
        engine->log_index_ = std::move(*log_index);
        if (const auto recovered = engine->recover(); !recovered) return std::unexpected(recovered.error());
    }
    return engine;
}

Result<> Engine::may_write_batches() const {
    if (!exclusive)
        return fail(ErrorCode::unavailable, "the store is open beside a server, which owns its batches");
    return disk->usable();
}

Result<> Engine::recover() {
    if (const auto done = resume(Stream::lines, lines); !done) return done;
    if (const auto done = resume(Stream::bodies, bodies); !done) return done;
    const auto ended = writer.run([](Tx& tx) { return tx.db.run(sql::kEndAllLeases); });
    if (!ended) return std::unexpected(ended.error());
    if (const auto done = settle_spool(); !done) return done;
    if (const auto done = settle_removals(); !done) return done;
    return drop_dead_segments();
}

Result<> Engine::resume(Stream stream, SegmentLog& log) {
    auto snapshot = readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto rows = snapshot->db().query(sql::kNewestSegment, stream);
    if (!rows) return std::unexpected(rows.error());
    const auto more = rows->next();
    if (!more) return std::unexpected(more.error());
    return *more ? log.resume(rows->number(0), rows->as<std::uint64_t>(1)) : log.resume(0, 0);
}

Result<> Engine::settle_spool() {
    std::vector<std::filesystem::path> left;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(paths.spool(), error))
        left.push_back(entry.path());
    for (const auto& path : left) {
        if (const auto id = id_of_spooled(path)) {
            const auto row = writer.run([&](Tx& tx) { return tx.find_batch(*id); });
            if (!row) return std::unexpected(row.error());
            const bool is_body = path.extension() == ".body";
            const bool referred = *row && (is_body || (*row)->batch.results_bytes);
            if (!referred) {
                const auto gone = disk->remove(is_body ? paths.body(*id) : paths.results(*id));
                if (!gone) return gone;
            }
        }
        if (const auto gone = disk->remove(path); !gone) return gone;
    }
    return {};
}

Result<> Engine::settle_removals() {
    std::vector<std::pair<BatchId, Ranges>> left;
    {
        auto snapshot = readers.snapshot();
        if (!snapshot) return std::unexpected(snapshot.error());
        auto rows = snapshot->db().query(sql::kRemovals);
        if (!rows) return std::unexpected(rows.error());
        for (;;) {
            const auto more = rows->next();
            if (!more) return std::unexpected(more.error());
            if (!*more) break;
            const RawId id = raw_id(rows->bytes(0));
            left.emplace_back(BatchId{id.seconds, id.random}, decode(rows->bytes(1)));
        }
    }
    for (const auto& [id, ranges] : left) {
        if (const auto done = finish_removal(id, ranges); !done) return done;
    }
    return {};
}

Result<> Engine::settle_what_was_put_off() {
    if (!was_put_off_.exchange(false)) return {};
    if (const auto done = settle_removals(); !done) return done;
    return drop_dead_segments();
}

Result<> Engine::take_off_disk(const BatchId& id, const Ranges& ranges) {
    for (const auto& path : {paths.body(id), paths.results(id)}) {
        if (const auto gone = disk->remove(path); !gone) return gone;
    }
    if (const auto erased = lines.erase(ranges.lines); !erased) return erased;
    if (const auto erased = bodies.erase(ranges.bodies); !erased) return erased;
    if (const auto synced = disk->sync_directory(paths.bodies()); !synced) return synced;
    return disk->sync_directory(paths.results());
}

Result<> Engine::finish_removal(const BatchId& id, const Ranges& ranges) {
    const auto pass = gate_->enter();
    if (!pass) {
        was_put_off_ = true;
        return {};
    }
    const auto taken_off = take_off_disk(id, ranges);
    // For lack of descriptors, say. The batch is gone for all who look, and what it owes is noted.
    if (!taken_off && disk->usable()) {
        log::warning("what was deleted is still on the disk; it is tried again",
                     {{"batch", to_string(id)}, {"why", taken_off.error().message}});
        was_put_off_ = true;
        return {};
    }
    if (!taken_off) return taken_off;
    const auto settled = writer.run([&](Tx& tx) { return tx.db.run(sql::kDeleteRemoval, IdBytes(id)); });
    if (!settled) return std::unexpected(settled.error());
    return {};
}

Result<> Engine::drop_dead_segments() {
    const auto pass = gate_->enter();
    if (!pass) {
        was_put_off_ = true;
        return {};
    }
    const std::pair<Stream, SegmentLog*> logs[] = {{Stream::lines, &lines}, {Stream::bodies, &bodies}};
    for (const auto& [stream, log] : logs) {
        std::vector<std::int64_t> dead;
        {
            auto snapshot = readers.snapshot();
            if (!snapshot) return std::unexpected(snapshot.error());
            auto rows = snapshot->db().query(sql::kDeadSegments, stream);
            if (!rows) return std::unexpected(rows.error());
            for (;;) {
                const auto more = rows->next();
                if (!more) return std::unexpected(more.error());
                if (!*more) break;
                dead.push_back(rows->number(0));
            }
        }
        // The file first: a row without a file is harmless, a file without a row would stay for ever.
        for (const std::int64_t segment : dead) {
            if (const auto gone = log->remove(segment); !gone) return gone;
            const auto forgotten =
                writer.run([&](Tx& tx) { return tx.db.run(sql::kDeleteSegment, stream, segment); });
            if (!forgotten) return std::unexpected(forgotten.error());
        }
    }
    return {};
}

std::string Engine::encode(const Ranges& ranges) {
    std::string bytes;
    const std::uint64_t count = ranges.lines.size();
    bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
    for (const auto* const list : {&ranges.lines, &ranges.bodies}) {
        bytes.append(reinterpret_cast<const char*>(list->data()), list->size() * sizeof(SegmentLog::Range));
    }
    return bytes;
}

Engine::Ranges Engine::decode(std::string_view bytes) {
    static_assert(std::is_trivially_copyable_v<SegmentLog::Range> && sizeof(SegmentLog::Range) == 24);
    Ranges ranges;
    std::uint64_t lines_left = 0;
    if (bytes.size() < sizeof lines_left) return ranges;
    std::memcpy(&lines_left, bytes.data(), sizeof lines_left);
    bytes.remove_prefix(sizeof lines_left);
    while (bytes.size() >= sizeof(SegmentLog::Range)) {
        SegmentLog::Range range;
        std::memcpy(&range, bytes.data(), sizeof range);
        bytes.remove_prefix(sizeof range);
        (lines_left > 0 ? ranges.lines : ranges.bodies).push_back(range);
        if (lines_left > 0) --lines_left;
    }
    return ranges;
}

}  // namespace sheaf::store
