#include <array>
#include <system_error>

#include <fmt/format.h>

#include "store/sqlite/batch_mender.h"
#include "store/sqlite/directory_lock.h"
#include "store/sqlite/half_made.h"
#include "store/sqlite/index_rebuild.h"
#include "store/sqlite/inspection.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/named_blobs.h"
#include "store/sqlite/removal_gate.h"
#include "store/sqlite/statements.h"
#include "store/upkeep.h"

namespace sheaf::store {
namespace {

namespace fs = std::filesystem;

bool has_files(const fs::path& directory) {
    std::error_code error;
    const fs::directory_iterator first(directory, error);
    return !error && first != fs::directory_iterator();
}

bool has_kept_index(const fs::path& root) {
    std::error_code error;
    for (fs::directory_iterator at(root, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
        if (at->path().filename().string().starts_with("index.damaged-")) return true;
    }
    return false;
}

using Visit = std::function<Result<>(const NamedBlob&)>;

class SqliteUpkeep final : public Upkeep {
public:
    SqliteUpkeep(Paths paths, File lock)
        : paths_(std::move(paths)),
          lock_(std::move(lock)),
          lines_(disk_, paths_.log()),
          bodies_(disk_, paths_.bodies()) {}

    Result<Checked> check(const Listener& listener) override;
    Result<Checked> repair(const Listener& listener, const Repairs& how) override;
    Result<> each_blob(const Visit& visit) override;
    Result<bool> names(NamedBlob::Kind kind, const RawId& id) override;

private:
    // Opens the index to look at it. Whether there is one that can be read; else it has been told why not.
    Result<bool> look(const Listener& listener);
    Result<> bring_up_to_date();
    Result<> look_again();
    // Whether it was.
    Result<bool> build_anew_if_damaged(const Listener& listener, const Repairs& how);
    // What a server left in the cache of the system as it was killed is durable before an index says that it
    // is there.
    Result<> sync_what_is_there();
    Result<> mend_index(const Listener& listener);
    Result<> clear_leftovers(const Listener& listener);
    // Whether a server began meanwhile, where there was no lock to take.
    Result<> still_alone();

    Paths paths_;
    File lock_;
    Disk disk_;
    SegmentLog lines_;
    SegmentLog bodies_;
    std::unique_ptr<Connection> db_;
};

Result<bool> SqliteUpkeep::look(const Listener& listener) {
    db_.reset();
    std::error_code error;
    const bool is_there = fs::exists(paths_.index(), error);
    const bool has_batches =
        has_files(paths_.bodies()) || has_files(paths_.log()) || has_files(paths_.results());
    if (!is_there) {
        if (has_batches) listener.found({Fault::index_missing, "index.db"});
        return false;
    }
    auto opened = Connection::open(paths_.index(), Connection::Mode::look, disk_);
    auto version = opened ? schema_version(**opened) : Result<std::int64_t>(std::unexpected(opened.error()));
    if (!version) {
        if (version.error().code != ErrorCode::corrupt) return std::unexpected(version.error());
        listener.found({Fault::index_damaged, version.error().message});
        return false;
    }
    if (*version > newest_schema())
        return fail(ErrorCode::unavailable,
                    fmt::format("the data directory has schema {}, this program knows {}", *version,
                                newest_schema()));
    if (*version == 0) {
        // SQLite takes an empty file for an empty database.
        if (has_batches) listener.found({Fault::index_missing, "index.db is empty"});
        return false;
    }
    db_ = std::move(*opened);
    return true;
}

Result<> SqliteUpkeep::bring_up_to_date() {
    const auto version = schema_version(*db_);
    if (!version) return std::unexpected(version.error());
    if (*version == newest_schema()) return {};
    auto copy = db_->copy_to({}, disk_);
    if (!copy) return std::unexpected(copy.error());
    if (const auto migrated = migrate(**copy); !migrated) return migrated;
    db_ = std::move(*copy);
    return {};
}

Result<> SqliteUpkeep::still_alone() {
    std::error_code ignored;
    if (lock_ || !fs::exists(paths_.root / "LOCK", ignored)) return {};
    return fail(ErrorCode::conflict, "a server was started on " + paths_.root.string() + " meanwhile");
}

Result<Checked> SqliteUpkeep::check(const Listener& listener) {
    if (is_rebuilt_index_waiting(paths_))
        return fail(ErrorCode::unavailable,
                    "a repair of " + paths_.root.string() + " was cut off; repeat it");
    const auto looked = look(listener);
    if (!looked) return std::unexpected(looked.error());
    if (!*looked) return Checked{};
    // The index as it is, before a copy of it is brought up to date.
    const auto sound = check_integrity(*db_, paths_, listener);
    if (!sound) return std::unexpected(sound.error());
    // What it says cannot be relied on then.
    if (!*sound) return Checked{};
    if (const auto done = bring_up_to_date(); !done) return std::unexpected(done.error());
    const auto rows_sound = check_rows(*db_, listener);
    if (!rows_sound) return std::unexpected(rows_sound.error());
    if (!*rows_sound) return Checked{};
    Inspection inspection({.db = db_.get(),
                           .paths = &paths_,
                           .lines = &lines_,
                           .bodies = &bodies_,
                           .listener = &listener,
                           .mend = {}});
    auto done = inspection.read_segments();
    if (done) done = inspection.check_strays();
    if (done) done = inspection.check_batches();
    if (done) done = inspection.check_segments();
    if (done) done = inspection.check_files();
    if (!done && done.error().code != ErrorCode::corrupt) return std::unexpected(done.error());
    if (!done) listener.found({Fault::index_damaged, done.error().message});
    if (const auto alone = still_alone(); !alone) return std::unexpected(alone.error());
    Checked checked = inspection.checked();
    checked.index_was_read = done.has_value();
    return checked;
}

// An index that cannot be relied on is built anew; so is one whose log is damaged, for what was written since
// is in the records still.
Result<bool> SqliteUpkeep::build_anew_if_damaged(const Listener& listener, const Repairs& how) {
    bool is_damaged = false;
    const Listener told{[&](Finding finding) {
                            is_damaged = true;
                            finding.mending = Mending::mended;
                            listener.found(finding);
                        },
                        listener.progress};
    const auto looked = look(told);
    if (!looked) return std::unexpected(looked.error());
    if (*looked) {
        const auto sound = check_integrity(*db_, paths_, told);
        if (!sound) return std::unexpected(sound.error());
        const auto version = *sound ? schema_version(*db_) : Result<std::int64_t>(0);
        if (!version) return std::unexpected(version.error());
        if (*version == newest_schema()) {
            if (const auto rows_sound = check_rows(*db_, told); !rows_sound)
                return std::unexpected(rows_sound.error());
        }
    }
    db_.reset();
    if (!is_damaged) return false;
    const auto built = rebuild_index(paths_, disk_, how, listener);
    if (!built) return std::unexpected(built.error());
    return true;
}

// What must be right before the store is opened to be written: it removes segments that nothing is counted
// in.
Result<> SqliteUpkeep::mend_index(const Listener& listener) {
    auto opened = Connection::open(paths_.index(), Connection::Mode::write, disk_);
    if (!opened) return std::unexpected(opened.error());
    Connection& db = **opened;
    if (const auto migrated = migrate(db); !migrated) return migrated;
    const Listener told{[&](Finding finding) {
                            finding.mending = Mending::mended;
                            listener.found(finding);
                        },
                        listener.progress};
    Inspection inspection(
        {.db = &db, .paths = &paths_, .lines = &lines_, .bodies = &bodies_, .listener = &told, .mend = {}});
    auto done = inspection.check_strays();
    if (done) done = db.command(sql::kBegin);
    if (done) done = db.execute(sql::kDropStrays);
    if (done) done = recount_segments(db, paths_, told);
    if (done) done = db.command(sql::kCommit);
    return done;
}

// The store settles its spool and cuts off the tail of its logs when it is opened; the rest of what was left
// is removed here.
Result<> SqliteUpkeep::clear_leftovers(const Listener& listener) {
    auto opened = Connection::open(paths_.index(), Connection::Mode::look, disk_);
    if (!opened) return std::unexpected(opened.error());
    std::vector<fs::path> left;
    const Listener told{[&](Finding finding) {
                            if (finding.fault == Fault::leftover) {
                                const fs::path path = paths_.root / finding.detail;
                                if (path.parent_path() != paths_.spool()) left.push_back(path);
                                finding.mending = Mending::mended;
                            }
                            listener.found(finding);
                        },
                        listener.progress};
    Inspection inspection({.db = opened->get(),
                           .paths = &paths_,
                           .lines = &lines_,
                           .bodies = &bodies_,
                           .listener = &told,
                           .mend = {}});
    auto done = inspection.read_segments();
    if (done) done = inspection.check_files();
    for (const fs::path& path : left) {
        if (done) done = disk_.remove(path);
    }
    return done;
}

Result<> SqliteUpkeep::sync_what_is_there() {
    for (const fs::path& directory : {paths_.log(), paths_.bodies()}) {
        const auto sync = [&](const fs::path& path) -> Result<> {
            const auto file = open_for_read(path);
            if (!file) return {};  // the repair says what cannot be read
            return disk_.sync(file->fd(), path.string());
        };
        if (const auto synced = each_name(directory, sync); !synced) return synced;
    }
    std::error_code ignored;
    for (const fs::path& directory : {paths_.log(), paths_.bodies(), paths_.results()}) {
        if (!fs::exists(directory, ignored)) continue;
        if (const auto synced = disk_.sync_directory(directory); !synced) return synced;
    }
    return {};
}

Result<Checked> SqliteUpkeep::repair(const Listener& listener, const Repairs& how) {
    if (!lock_) {
        auto lock = lock_directory(paths_.root);
        if (!lock) return std::unexpected(lock.error());
        lock_ = std::move(*lock);
    }
    {
        const auto gate = RemovalGate::open(paths_.root);
        if (!gate) return std::unexpected(gate.error());
        if (!(*gate)->enter())
            return fail(ErrorCode::conflict, "a backup of " + paths_.root.string() + " is under way");
    }
    if (is_rebuilt_index_waiting(paths_)) {
        if (const auto taken = take_rebuilt_index(paths_, disk_); !taken)
            return std::unexpected(taken.error());
    }
    if (const auto synced = sync_what_is_there(); !synced) return std::unexpected(synced.error());
    const auto built = build_anew_if_damaged(listener, how);
    if (!built) return std::unexpected(built.error());
    std::error_code ignored;
    // A directory that was never served on.
    if (!fs::exists(paths_.index(), ignored)) return Checked{};
    if (const auto done = mend_index(listener); !done) return std::unexpected(done.error());
    if (const auto done = clear_leftovers(listener); !done) return std::unexpected(done.error());
    // The store takes the lock itself.
    lock_ = File();
    auto engine = Engine::open({.directory = paths_.root}, std::make_unique<Disk>());
    if (!engine) return std::unexpected(engine.error());
    auto db = Connection::open(paths_.index(), Connection::Mode::read, disk_);
    if (!db) return std::unexpected(db.error());
    BatchMender mender(**engine, how);
    Inspection inspection({.db = db->get(),
                           .paths = &paths_,
                           .lines = &(*engine)->lines,
                           .bodies = &(*engine)->bodies,
                           .listener = &listener,
                           .mend = [&](const BatchRow& row, std::vector<BatchFault>& faults) {
                               return mender.mend(row, faults);
                           }});
    auto done = inspection.read_segments();
    if (done) done = inspection.check_batches();
    if (done) done = inspection.check_segments();
    if (done) done = (*engine)->drop_dead_segments();
    if (!done) return std::unexpected(done.error());
    db->reset();
    engine->reset();
    auto lock = lock_directory(paths_.root);
    if (!lock) return std::unexpected(lock.error());
    lock_ = std::move(*lock);
    Checked checked = inspection.checked();
    checked.index_was_read = true;
    checked.index_was_rebuilt = *built || has_kept_index(paths_.root);
    return checked;
}

Result<> SqliteUpkeep::each_blob(const Visit& visit) {
    if (const auto ready = look_again(); !ready) return ready;
    return each_named_blob(*db_, visit);
}

Result<bool> SqliteUpkeep::names(NamedBlob::Kind kind, const RawId& id) {
    if (const auto ready = look_again(); !ready) return std::unexpected(ready.error());
    constexpr std::array kQuestions{sql::kHasAsset, sql::kHasFile, sql::kHasPart, sql::kHasUpload};
    auto rows = db_->query(kQuestions.at(static_cast<std::size_t>(kind)), IdBytes(id));
    if (!rows) return std::unexpected(rows.error());
    return rows->next();
}

// For what is asked after a repair.
Result<> SqliteUpkeep::look_again() {
    if (db_ != nullptr) return {};
    auto opened = Connection::open(paths_.index(), Connection::Mode::look, disk_);
    if (!opened) return std::unexpected(opened.error());
    db_ = std::move(*opened);
    return bring_up_to_date();
}

}  // namespace

Result<std::unique_ptr<Upkeep>> open_sqlite_upkeep(const fs::path& directory, HalfMade half_made) {
    std::error_code error;
    const Paths paths{fs::absolute(directory, error)};
    if (half_made == HalfMade::refused && is_half_made(paths.root))
        return fail(ErrorCode::unavailable, paths.root.string() + " is a half-made backup");
    if (!fs::is_directory(paths.root, error))
        return fail(ErrorCode::not_found, paths.root.string() + " is not a directory");
    if (!fs::exists(paths.index(), error) && !fs::is_directory(paths.bodies(), error))
        return fail(ErrorCode::not_found, "there is no data of Sheaf's in " + paths.root.string());
    auto lock = lock_directory_as_it_is(paths.root);
    if (!lock && lock.error().code == ErrorCode::conflict)
        return fail(ErrorCode::conflict, "a server runs on " + paths.root.string() + "; stop it first");
    if (!lock && lock.error().code != ErrorCode::not_found) return std::unexpected(lock.error());
    return std::make_unique<SqliteUpkeep>(paths, lock ? std::move(*lock) : File());
}

}  // namespace sheaf::store
