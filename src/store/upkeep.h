#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/batch.h"
#include "core/item.h"
#include "store/batches.h"

// Looking after a data directory of the embedded store while no server runs on it: what of it is damaged, and
// mending that. Copying one, also beside a server, is in backup.h.
namespace sheaf::store {

// What can be wrong. From `leftover` on nothing is damaged: it is only worth knowing.
enum class Fault : std::uint8_t {
    index_missing,      // there are files of batches, and no index that tells whose they are
    index_damaged,      // what SQLite says of it
    index_log_damaged,  // the write-ahead log: what was committed from there on is not read
    rows_stray,         // rows of batches or items that are not there
    segment_missing,    // a file of the log or of small bodies
    segment_short,      // the same, with fewer bytes than were written
    segment_uncounted,  // more of it is in use than the index counts: it would be removed too early
    stray_file,         // a body or results file of a batch that the index does not know

    counts_wrong,        // a batch's counts are not those of its items
    items_missing,       // a batch has fewer items than it counts
    batch_stuck,         // nothing of it is left to run, and it has not ended
    plan_damaged,        // the order of its items
    lease_missing,       // an item that is running, which nobody would ever claim again
    lease_stray,         // a lease of an item that has ended or was never claimed
    body_missing,        // the file of the create call's body
    body_damaged,        // outside of all items
    request_damaged,     // of an item that is still to run
    request_unreadable,  // of one that has ended
    result_damaged,      // its line
    results_missing,     // the results file of a batch
    results_resized,     // it has not the bytes that the index says
    results_unclosed,    // what ends it is damaged: nothing is lost, and a lost index could not be built from
                         // it
    record_damaged,      // one of the batch that a lost index is built from; nothing is lost
    order_damaged,       // in which its results became durable: who follows it may miss some
    file_outside,        // a file of results that reaches beyond them

    leftover,       // of a process that was killed; the next start removes it
    log_tail,       // written and never acknowledged; the next start cuts it off
    segment_spare,  // less of it is in use than the index counts: it would stay for ever
    kept_copy,      // what a repair put aside
    batch_rebuilt,  // a batch of which the index had nothing, built anew from its records
    unknown_file,   // not ours
};
constexpr bool is_damage(Fault fault) {
    return fault < Fault::leftover;
}

// What was done about a fault.
enum class Mending : std::uint8_t {
    none,
    mended,    // as if it had never been
    requeued,  // the item runs again
    given_up,  // the item has ended as failed, and its line says that its result is lost
};

// One fault. What is pointed to lives as long as the call that tells of it.
struct Finding {
    Fault fault;
    std::string detail;                    // a file, a number, what SQLite said; or empty
    const core::Batch* batch = nullptr;    // whose it is
    const core::ItemHead* item = nullptr;  // the same
    Mending mending = Mending::none;
};

struct Listener {
    std::function<void(const Finding&)> found;
    // Now and then: how many batches of how many were looked at.
    std::function<void(std::uint64_t, std::uint64_t)> progress;
};

// What was looked at.
struct Checked {
    std::uint64_t batches = 0;
    std::uint64_t items = 0;
    std::uint64_t results = 0;
    bool index_was_read = false;  // else there is nothing to compare blobs with
    // By this repair or an earlier one whose old index is still kept: a blob that nobody speaks of may be one
    // whose row was lost.
    bool index_was_rebuilt = false;
};

// Bytes in the blob store that a row speaks of.
struct NamedBlob {
    enum class Kind : std::uint8_t { asset, file, part, chunk } kind = Kind::asset;
    RawId id;                            // of the asset, file, part; of a chunk, its upload's
    AccountId account;                   // empty for parts and chunks
    std::string filename;                // of assets and files
    std::string key;                     // empty for a chunk
    std::uint32_t index = 0;             // of a chunk
    std::string etag;                    // the same
    std::optional<std::uint64_t> bytes;  // where they are known
};

// What a repair needs of the dialects.
struct Repairs {
    // The line of an item whose result is lost, which fails with it.
    std::function<std::string(const core::Batch&, const core::ItemHead&)> lost_line;
    // As the publisher lays the batch's lines out.
    std::function<Batches::Layout(const core::Batch&)> layout;
    // Whether the two above know the batch's dialect; results of others are left as they are.
    std::function<bool(const core::Batch&)> speaks;
    Timestamp now;
};

// A data directory and the lock of its server. Methods belong to one thread and need memory for one batch at
// a time, however much there is. An error means that the work could not go on.
class Upkeep {
public:
    virtual ~Upkeep() = default;

    // Reads all there is but blobs, and changes nothing. An index of an older version is read by way of a
    // temporary copy, brought up to date.
    virtual Result<Checked> check(const Listener& listener) = 0;
    // The same, and mends what can be mended: each fault is told once, with what was done about it. What is
    // replaced is kept beside, under its name and ".damaged-" with the time. Twice is as good as once.
    virtual Result<Checked> repair(const Listener& listener, const Repairs& how) = 0;

    // All blobs that rows speak of, and need.
    virtual Result<> each_blob(const std::function<Result<>(const NamedBlob&)>& visit) = 0;
    // Whether a row speaks of the asset, file, part or upload of this id; of a part, `id` is its own.
    virtual Result<bool> names(NamedBlob::Kind kind, const RawId& id) = 0;
};

// Where something is put aside that was damaged: its name with ".damaged-" and the time.
std::filesystem::path put_aside_name(const std::filesystem::path& path, Timestamp now);

// Whether a directory that a backup is still writing, or did not finish, is taken.
enum class HalfMade : std::uint8_t { refused, taken };

// not_found: there is no such directory, or nothing of ours in it. conflict: a server runs on it, or, once
// repair() is called, a backup of it is under way. unavailable: it cannot be read, or is of a newer version.
Result<std::unique_ptr<Upkeep>> open_sqlite_upkeep(const std::filesystem::path& directory,
                                                   HalfMade half_made = HalfMade::refused);

}  // namespace sheaf::store
