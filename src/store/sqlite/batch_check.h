#pragma once

#include <functional>
#include <optional>
#include <string>

#include "store/sqlite/batch_row.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/segment_table.h"
#include "store/upkeep.h"

namespace sheaf::store {

// Reads one batch as a check does: its rows, its body, its lines. Belongs to one thread.
class BatchCheck {
public:
    struct Parts {
        Connection* db = nullptr;
        const Paths* paths = nullptr;
        const SegmentLog* lines = nullptr;
        const SegmentLog* bodies = nullptr;
        SegmentTable* segments = nullptr;
    };
    // The item is null for what is wrong with the batch as a whole.
    using Found = std::function<void(Fault, const core::ItemHead*, std::string)>;

    BatchCheck(const Parts& parts, const BatchRow& row, Found found)
        : parts_(parts), row_(&row), found_(std::move(found)) {}

    // An error is one of the index.
    Result<> run();

    std::uint64_t items() const { return items_; }
    std::uint64_t results() const { return results_; }

private:
    void open_body();
    void open_results();
    Result<> check_items();
    Result<> check_files();
    Result<> check_records();
    Result<> check_order();
    Result<> check_plan();
    void check_lease(const ItemRow& item, bool has_lease);
    void check_request(const ItemRow& item);
    void check_result(const ItemRow& item);
    void check_line_in_log(const ItemRow& item);
    void check_line_in_file(const ItemRow& item);
    void compare_counts();
    Result<bool> read_slice(const ItemRow& item, std::string& bytes) const;

    Parts parts_;
    const BatchRow* row_;
    Found found_;

    File body_file_;
    std::optional<std::string> small_body_;
    bool body_record_is_whole_ = true;
    bool has_body_ = false;

    File results_file_;
    std::uint64_t line_bytes_ = 0;  // of the results file, by its own size
    std::uint64_t line_bytes_seen_ = 0;

    core::Counts counts_;
    std::uint64_t items_ = 0;
    std::uint64_t results_ = 0;
    bool has_gaps_ = false;
    bool a_request_is_damaged_ = false;
    bool a_result_is_damaged_ = false;
};

}  // namespace sheaf::store
