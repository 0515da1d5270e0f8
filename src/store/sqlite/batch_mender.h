#pragma once

#include <vector>

#include "store/sqlite/engine.h"
#include "store/sqlite/inspection.h"
#include "store/upkeep.h"

namespace sheaf::store {

// Mends what is wrong with a batch, each in one transaction. The engine is open for nobody else.
class BatchMender {
public:
    BatchMender(Engine& engine, const Repairs& how) : engine_(&engine), how_(&how) {}

    // Notes in each fault what was done about it.
    Result<> mend(const BatchRow& row, std::vector<BatchFault>& faults);

private:
    // Gives an item that may run again back to the queue.
    static Result<> requeue(Tx& tx, BatchRow& row, const core::ItemHead& item);
    // Takes an item's usage and its line out of the books.
    static Result<> take_back(Tx& tx, BatchRow& row, const core::ItemHead& item);
    // Ends an item as failed, with a line that says so.
    Result<> give_up(Tx& tx, BatchRow& row, core::ItemHead item) const;
    Result<> mend_rows(Tx& tx, BatchRow& row, std::vector<BatchFault>& faults) const;
    Result<> mend_item(Tx& tx, BatchRow& row, BatchFault& each) const;
    // The records that a lost index is built from, anew from the index.
    static Result<> write_records(Tx& tx, const BatchRow& row);
    static Result<> write_head(Tx& tx, const BatchRow& row);
    // Hands out what is left in the order of submission, as items whose holder was lost.
    static Result<> drop_plan(Tx& tx, BatchRow& row);
    static Result<> recount(Tx& tx, BatchRow& row);

    // The results file of a published batch, written anew of what is sound in it and in the log.
    struct NewFile {
        std::uint64_t line_bytes = 0;
        std::vector<core::File> files;
        std::vector<std::uint32_t> lost;
    };
    Result<NewFile> write_results(const BatchRow& row, const std::vector<BatchFault>& faults);
    Result<> replace_results(const BatchRow& row, std::vector<BatchFault>& faults);

    Engine* engine_;
    const Repairs* how_;
};

}  // namespace sheaf::store
