#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/sqlite/commit_marks.h"
#include "store/sqlite/half_made.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/named_blobs.h"
#include "store/sqlite/removal_gate.h"
#include "store/sqlite/segment_table.h"
#include "store/sqlite/statements.h"

namespace sheaf::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kCopiedAtOnce = std::uint64_t{16} << 20;
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

// What says that this pair of files cannot be copied in the kernel, and not that copying failed.
bool must_copy_by_hand(int code) {
    return code == EOPNOTSUPP || code == EINVAL || code == EXDEV || code == ENOSYS || code == EPERM;
}

Result<> copy_by_hand(Disk& disk, int from, int to, std::uint64_t at, std::uint64_t bytes) {
    std::string piece;
    while (bytes > 0) {
        piece.resize(std::min<std::uint64_t>(kBufferBytes, bytes));
        if (const auto got = read_at(from, piece.data(), piece.size(), at); !got) return got;
        if (const auto put = disk.write_at(to, piece, at); !put) return put;
        at += piece.size();
        bytes -= piece.size();
    }
    return {};
}

// Copies a range to the same place. Fewer bytes where the file ends before.
Result<> copy_range(Disk& disk, int from, int to, std::uint64_t at, std::uint64_t bytes) {
    while (bytes > 0) {
        auto in = static_cast<off_t>(at);
        auto out = static_cast<off_t>(at);
        const auto count = ::copy_file_range(from, &in, to, &out, std::min(bytes, kCopiedAtOnce), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && must_copy_by_hand(errno)) return copy_by_hand(disk, from, to, at, bytes);
        if (count < 0 && (errno == ENOSPC || errno == EDQUOT))
            return fail(ErrorCode::no_space, "the disk is full");
        if (count < 0)
            return fail(ErrorCode::unavailable, std::string("cannot copy: ") + std::strerror(errno));
        if (count == 0) return {};
        at += static_cast<std::uint64_t>(count);
        bytes -= static_cast<std::uint64_t>(count);
    }
    return {};
}

// The first `bytes` bytes of a file, without what was erased of them.
Result<> copy_file(Disk& disk, const fs::path& from, const fs::path& to, std::uint64_t bytes) {
    const auto source = open_for_read(from);
    // What is not there is not there in the copy.
    if (!source)
        return source.error().code == ErrorCode::not_found ? Result<>{} : std::unexpected(source.error());
    const auto size = size_of(source->fd());
    if (!size) return std::unexpected(size.error());
    const std::uint64_t end = std::min(bytes, *size);
    const auto target = disk.create(to);
    if (!target) return std::unexpected(target.error());
    for (std::uint64_t at = 0; at < end;) {
        const off_t data = ::lseek(source->fd(), static_cast<off_t>(at), SEEK_DATA);
        if (data < 0 && errno == ENXIO) break;
        const off_t hole = data < 0 ? -1 : ::lseek(source->fd(), data, SEEK_HOLE);
        // A file system that does not tell has no holes to us.
        const std::uint64_t from_here = data < 0 ? at : static_cast<std::uint64_t>(data);
        const std::uint64_t to_there = hole < 0 ? end : std::min(end, static_cast<std::uint64_t>(hole));
        if (from_here >= end) break;
        const auto copied = copy_range(disk, source->fd(), target->fd(), from_here, to_there - from_here);
        if (!copied) return copied;
        at = to_there;
    }
    if (const auto sized = disk.truncate(target->fd(), end); !sized) return sized;
    return disk.sync(target->fd(), to.string());
}

class SqliteBackup final : public Backup {
public:
    SqliteBackup(Paths from, Paths to, File hold, File mark)
        : from_(std::move(from)), to_(std::move(to)), hold_(std::move(hold)), mark_(std::move(mark)) {}

    Result<> copy_index();
    Result<> copy_files(const std::function<void(std::uint64_t, std::uint64_t)>& progress) override;
    Result<> each_blob(const std::function<Result<>(const NamedBlob&)>& visit) override {
        return each_named_blob(*copy_, visit);
    }
    Result<bool> forget_if_deleted(const NamedBlob& blob) override;
    Result<> finish() override;
    Result<> call_it_whole() override;

private:
    Result<> copy_segments();
    Result<> copy_batch(const BatchRow& row);
    Result<bool> is_needed(const NamedBlob& blob);

    Paths from_;
    Paths to_;
    File hold_;
    File mark_;
    Disk disk_;
    std::unique_ptr<Connection> live_;
    std::unique_ptr<Connection> copy_;
};

Result<> SqliteBackup::copy_index() {
    const auto lost = find_lost_commits(from_);
    if (lost && *lost) return std::unexpected(lost_commits(from_, **lost));
    auto live = Connection::open(from_.index(), Connection::Mode::beside, disk_);
    if (!live) return std::unexpected(live.error());
    live_ = std::move(*live);
    const auto version = schema_version(*live_);
    if (!version) return std::unexpected(version.error());
    if (*version != newest_schema())
        return fail(
            ErrorCode::unavailable,
            fmt::format("the data directory has schema {}, this program copies {}: start a server of this "
                        "version on it first",
                        *version, newest_schema()));
    {
        // Readable by its owner alone, as the original.
        const auto made = disk_.create(to_.index());
        if (!made) return std::unexpected(made.error());
    }
    {
        auto copied = live_->copy_to(to_.index(), disk_);
        if (!copied) return std::unexpected(copied.error());
    }
    auto copy = Connection::open(to_.index(), Connection::Mode::write, disk_);
    if (!copy) return std::unexpected(copy.error());
    copy_ = std::move(*copy);
    return {};
}

Result<> SqliteBackup::copy_files(const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    if (const auto copied = copy_segments(); !copied) return copied;
    const auto total = count_batches(*copy_);
    if (!total) return std::unexpected(total.error());
    std::uint64_t done = 0;
    return each_batch(*copy_, [&](const BatchRow& row) -> Result<> {
        if (const auto copied = copy_batch(row); !copied) return copied;
        progress(++done, *total);
        return {};
    });
}

// Up to where the copied index knows them: what follows is not of this moment.
Result<> SqliteBackup::copy_segments() {
    const auto table = SegmentTable::read(*copy_, from_);
    if (!table) return std::unexpected(table.error());
    for (const auto& [name, use] : table->all()) {
        if (use.live == 0 && !table->is_newest(name)) continue;
        const std::string file = SegmentTable::file_of(name);
        const auto copied = copy_file(disk_, from_.root / file, to_.root / file, use.bytes);
        if (!copied) return copied;
    }
    return {};
}

Result<> SqliteBackup::copy_batch(const BatchRow& row) {
    const core::Batch& batch = row.batch;
    if (batch.archived_at) return {};
    constexpr std::uint64_t kAll = ~std::uint64_t{0};
    if (!row.body_segment && row.body_bytes > 0) {
        const auto copied = copy_file(disk_, from_.body(batch.id), to_.body(batch.id), kAll);
        if (!copied) return copied;
    }
    if (!batch.results_bytes || batch.counts.total() == 0) return {};
    return copy_file(disk_, from_.results(batch.id), to_.results(batch.id), kAll);
}

Result<bool> SqliteBackup::is_needed(const NamedBlob& blob) {
    const auto ask = [&](const char* question, const auto&... more) -> Result<bool> {
        auto rows = live_->query(question, IdBytes(blob.id), more...);
        if (!rows) return std::unexpected(rows.error());
        return rows->next();
    };
    switch (blob.kind) {
        case NamedBlob::Kind::asset:
            return ask(sql::kNeedsAsset);
        case NamedBlob::Kind::file:
            return ask(sql::kHasFile);
        case NamedBlob::Kind::part:
            return ask(sql::kNeedsPart);
        case NamedBlob::Kind::chunk:
            return ask(sql::kNeedsChunk, blob.index, blob.etag);
    }
    return true;
}

Result<bool> SqliteBackup::forget_if_deleted(const NamedBlob& blob) {
    const auto needed = is_needed(blob);
    if (!needed) return std::unexpected(needed.error());
    if (*needed) return false;
    const IdBytes id(blob.id);
    Result<int> done = 0;
    switch (blob.kind) {
        case NamedBlob::Kind::asset:
            done = copy_->run(sql::kDeleteChunksOfAsset, id);
            if (done) done = copy_->run(sql::kDeleteUploadsOfAsset, id);
            if (done) done = copy_->run(sql::kForgetAsset, id);
            break;
        case NamedBlob::Kind::file:
            done = copy_->run(sql::kForgetFile, id);
            break;
        case NamedBlob::Kind::part:
            done = copy_->run(sql::kForgetPart, id);
            break;
        case NamedBlob::Kind::chunk:
            done = copy_->run(sql::kForgetChunks, id);
            if (done) done = copy_->run(sql::kFailUpload, id);
            break;
    }
    if (!done) return std::unexpected(done.error());
    return true;
}

Result<> SqliteBackup::finish() {
    // Closing copies the write-ahead log into the file and removes it.
    copy_.reset();
    live_.reset();
    {
        const auto index = open_for_read(to_.index());
        if (!index) return std::unexpected(index.error());
        if (const auto synced = disk_.sync(index->fd(), "the copied index"); !synced) return synced;
    }
    for (const auto& directory : {to_.bodies(), to_.log(), to_.results(), to_.root}) {
        if (const auto synced = disk_.sync_directory(directory); !synced) return synced;
    }
    hold_ = File();
    return {};
}

Result<> SqliteBackup::call_it_whole() {
    if (const auto gone = disk_.remove(to_.root / kHalfMade); !gone) return gone;
    return disk_.sync_directory(to_.root);
}

// Makes the directory with its mark, or takes over a half-made one. The mark is locked while it is written.
Result<File> mark_half_made(Disk& disk, const fs::path& to) {
    std::error_code error;
    const bool was_half_made = is_half_made(to);
    if (!was_half_made && fs::exists(to, error) && !fs::is_empty(to, error))
        return fail(ErrorCode::conflict, to.string() + " is there already");
    fs::create_directories(to.parent_path(), error);
    if (const auto made = disk.make_directory(to); !made) return std::unexpected(made.error());
    const fs::path path = to / kHalfMade;
    File mark(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!mark)
        return fail(ErrorCode::unavailable, "cannot make " + path.string() + ": " + std::strerror(errno));
    if (::flock(mark.fd(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::conflict, "another backup writes " + to.string());
    if (const auto synced = disk.sync_directory(to); !synced) return std::unexpected(synced.error());
    if (!was_half_made) return mark;
    for (const auto& entry : fs::directory_iterator(to, error)) {
        if (entry.path() != path) fs::remove_all(entry.path(), error);
        if (error)
            return fail(ErrorCode::unavailable,
                        "cannot remove " + entry.path().string() + ": " + error.message());
    }
    return mark;
}

}  // namespace

Result<std::unique_ptr<Backup>> begin_sqlite_backup(const fs::path& from, const fs::path& to) {
    std::error_code error;
    const Paths source{fs::absolute(from, error)};
    const Paths target{fs::absolute(to, error)};
    if (!fs::exists(source.index(), error))
        return fail(ErrorCode::not_found, "there is no data of Sheaf's in " + source.root.string());
    if (is_half_made(source.root))
        return fail(ErrorCode::unavailable, source.root.string() + " is a half-made backup");
    Disk disk;
    auto mark = mark_half_made(disk, target.root);
    if (!mark) return std::unexpected(mark.error());
    for (const auto& directory : {target.bodies(), target.log(), target.results()}) {
        if (const auto made = disk.make_directory(directory); !made) return std::unexpected(made.error());
    }
    // Before the index is read: what it speaks of then stays.
    auto hold = hold_off_removals(source.root);
    if (!hold) return std::unexpected(hold.error());
    auto backup = std::make_unique<SqliteBackup>(source, target, std::move(*hold), std::move(*mark));
    if (const auto copied = backup->copy_index(); !copied) return std::unexpected(copied.error());
    return backup;
}

}  // namespace sheaf::store
