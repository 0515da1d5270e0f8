#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/result.h"
#include "store/upkeep.h"

namespace sheaf::store {

// A copy of a data directory of the embedded store as one moment has it, also while a server works on it: all
// that was acknowledged before begin_sqlite_backup() returned, but for what is deleted meanwhile.
//
// What a server deletes is taken off its disk only when the backup has let it go (finish(), or its end,
// however it comes). Methods belong to one thread.
class Backup {
public:
    virtual ~Backup() = default;

    // Copies bodies, results and the log; the index is copied already. What is missing or damaged there is so
    // in the copy. `progress`: how many batches of how many.
    virtual Result<> copy_files(const std::function<void(std::uint64_t, std::uint64_t)>& progress) = 0;
    // All blobs that rows of the copy speak of, and need. Whoever copies them syncs them.
    virtual Result<> each_blob(const std::function<Result<>(const NamedBlob&)>& visit) = 0;
    // For one that is not there: whether it was deleted since the backup began. Then the copy forgets it too.
    virtual Result<bool> forget_if_deleted(const NamedBlob& blob) = 0;
    // Makes all of it durable and lets the original go. The copy is still marked as half made.
    virtual Result<> finish() = 0;
    // Takes the mark off.
    virtual Result<> call_it_whole() = 0;
};

// `to` is made; it may be there if it is empty or a half-made backup, whose files then go. It is marked as
// half made at once: neither a server nor a check takes a directory with the mark. not_found: there is no
// data in `from`. conflict: `to` holds something else, or another backup writes it. unavailable: `from`
// cannot be read, or is of another version: start a server of this one on it first.
Result<std::unique_ptr<Backup>> begin_sqlite_backup(const std::filesystem::path& from,
                                                    const std::filesystem::path& to);

}  // namespace sheaf::store
