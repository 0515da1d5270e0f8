#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/sqlite/batch_check.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/segment_table.h"
#include "store/upkeep.h"

namespace sheaf::store {

// A fault of one batch that is told once it is known what was done about it.
struct BatchFault {
    Fault fault;
    std::string detail;
    std::optional<core::ItemHead> item;
    Mending mending = Mending::none;
};

// What SQLite says of the index and its write-ahead log. Whether all of it can be relied on.
Result<bool> check_integrity(Connection& db, const Paths& paths, const Listener& listener);

// Whether all rows can be what they are, in an index of this version.
Result<bool> check_rows(Connection& db, const Listener& listener);

// Reads all that lies in a data directory but blobs, with its index, and tells what is wrong. Belongs to one
// thread.
class Inspection {
public:
    struct Parts {
        Connection* db = nullptr;
        const Paths* paths = nullptr;
        const SegmentLog* lines = nullptr;
        const SegmentLog* bodies = nullptr;
        const Listener* listener = nullptr;
        // Where there is one, the faults of a batch go through it before they are told.
        std::function<Result<>(const BatchRow&, std::vector<BatchFault>&)> mend;
    };
    explicit Inspection(Parts parts) : parts_(std::move(parts)) {}

    // An error is one of the index, but for files that cannot be listed. First of all:
    Result<> read_segments();
    Result<> check_strays();
    Result<> check_batches();
    // After check_batches(): what it counted is compared.
    Result<> check_segments();
    Result<> check_files();

    const Checked& checked() const { return checked_; }
    const SegmentTable& segments() const { return segments_; }

private:
    Result<> check_batch(const BatchRow& row);
    Result<> check_file_of_batch(const std::filesystem::path& path, bool is_body);
    void check_segment_file(const std::filesystem::path& path, Stream stream);
    Result<bool> is_owed(const BatchId& id, bool is_body);
    void tell(Fault fault, std::string detail = {}) const;
    std::string name_of(const std::filesystem::path& path) const;

    Parts parts_;
    SegmentTable segments_;
    Checked checked_;
};

}  // namespace sheaf::store
