#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "store/sqlite/database.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/segments.h"
#include "store/upkeep.h"

namespace sheaf::store {

// What the index and the disk know of a segment file.
struct SegmentUse {
    std::uint64_t bytes = 0;       // as the index counts
    std::int64_t live = 0;         // the same
    std::int64_t in_use = 0;       // records that rows speak of, as far as they were counted
    std::uint64_t needed = 0;      // up to where they reach
    bool is_counted = false;       // the index has a row of it
    std::uint64_t file_bytes = 0;  // on the disk
    bool is_there = false;         // the same
};

// All segments, of both streams: a few hundred bytes for each 64 MiB.
class SegmentTable {
public:
    using Name = std::pair<Stream, std::int64_t>;
    // Reads the index, and looks at the files.
    static Result<SegmentTable> read(Connection& db, const Paths& paths);

    const std::map<Name, SegmentUse>& all() const { return uses_; }
    // Counts a record of a row. Whether it lies within what was written.
    bool use(Stream stream, const Place& place);
    // Whether it is the one that is being written.
    bool is_newest(const Name& name) const;
    static std::string file_of(const Name& name);

private:
    std::map<Name, SegmentUse> uses_;
};

// Counts anew what rows speak of, within a transaction, and tells of each segment that was counted wrongly.
Result<> recount_segments(Connection& db, const Paths& paths, const Listener& listener);

}  // namespace sheaf::store
