#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/sqlite/disk.h"

namespace sheaf::store {

// Which family of segment files. Stored as a number: never renumber.
enum class Stream : std::uint8_t { lines = 0, bodies = 1 };

// Where a record begins, and how long its payload is.
struct Place {
    std::int64_t segment = 0;
    std::uint64_t start = 0;
    std::uint64_t bytes = 0;
};

// What a record says about itself: of which batch (its row) and which item it is.
struct RecordName {
    std::int64_t batch = 0;
    std::uint32_t ordinal = 0;
};

// Ordinals of records that are not an item's line.
inline constexpr std::uint32_t kWholeBody = 0xffff'ffffU;  // a batch's body
inline constexpr std::uint32_t kHead = 0xffff'fffeU;       // batch_records.h: BatchHead,
inline constexpr std::uint32_t kOutcomes = 0xffff'fffdU;   // Outcomes,
inline constexpr std::uint32_t kTurn = 0xffff'fffcU;       // BatchTurn,
inline constexpr std::uint32_t kGone = 0xffff'fffbU;       // BatchGone
// 0xffff'fffaU stands in segments of earlier versions, of no batch, and is passed over.

// Append-only files NNNNNNNN.seg of checksummed records, shared by all batches.
//
// A record is 24 bytes of header (magic, payload length, batch row, ordinal, CRC-32C over those and the
// payload; little endian) and the payload. What append() collects reaches the disk with write(), in one write
// and one sync, and counts once the index has committed: keep() says it has, abandon() that it has not.
//
// Appending belongs to the writer; reading, erasing and removing may be done from any thread.
class SegmentLog {
public:
    static constexpr std::uint64_t kHeaderBytes = 24;
    static constexpr std::string_view kMagicBytes = "SHF1";
    static constexpr std::uint64_t kRotateBytes = std::uint64_t{64} << 20;

    SegmentLog(Disk& disk, std::filesystem::path directory)
        : disk_(&disk), directory_(std::move(directory)) {}

    // The number of the segment whose file this is; nullopt: it is none's.
    static std::optional<std::int64_t> number_of(const std::filesystem::path& file);

    // Goes on with segment `newest`, of which the index knows the first `bytes`; cuts off what follows them.
    // 0: there is none yet.
    Result<> resume(std::int64_t newest, std::uint64_t bytes);

    Place append(RecordName name, std::string_view payload);
    // The same for a record that no row refers to: it stays as long as its segment does.
    void note(RecordName name, std::string_view payload);
    struct Mark {
        std::size_t bytes = 0;
        std::int64_t live = 0;
    };
    Mark mark() const { return {pending_.size(), pending_live_}; }
    void rewind(Mark mark);
    Result<> write();
    void keep();
    // What may have reached the disk is durably gone then: records of what was refused would be taken for
    // whole where an index is built anew.
    Result<> abandon();

    // What is being appended: the segment, its length then, and how many records are new that count.
    bool has_pending() const { return !pending_.empty(); }
    std::int64_t current() const { return current_; }
    std::uint64_t end() const { return size_ + pending_.size(); }
    std::int64_t pending_live() const { return pending_live_; }

    // corrupt: the record is not what was written. not_found: its segment is gone.
    Result<std::string> read(Place place, RecordName name) const;
    // Part of a payload, unchecked.
    Result<std::string> read_part(Place place, std::uint64_t offset, std::uint64_t bytes) const;

    struct Range {
        std::int64_t segment = 0;
        std::uint64_t start = 0;
        std::uint64_t bytes = 0;
    };
    // Overwrites the ranges of those segments that are still there, and syncs them.
    Result<> erase(const std::vector<Range>& ranges);
    Result<> remove(std::int64_t segment);

private:
    std::filesystem::path path(std::int64_t segment) const;
    Result<std::shared_ptr<const File>> open(std::int64_t segment) const;
    Result<> begin(std::int64_t segment);

    Disk* disk_;
    std::filesystem::path directory_;

    File file_;                 // the segment that grows
    std::int64_t current_ = 0;  // its number
    std::uint64_t size_ = 0;    // its bytes that the index knows
    bool fresh_ = true;         // it has to be created first
    std::string pending_;
    std::int64_t pending_live_ = 0;
    bool was_written_ = false;  // what is pending, perhaps in part

    mutable std::mutex mutex_;
    mutable std::map<std::int64_t, std::shared_ptr<const File>> readable_;
};

}  // namespace sheaf::store
