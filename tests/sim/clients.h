#pragma once

#include <functional>

#include "node.h"
#include "witness.h"

namespace sheaf::sim {

// What clients do to nodes that may go away under them, each call noted by the witness.
class Clients {
public:
    struct Habits {
        std::uint32_t accounts = 1;
        std::uint32_t batches_max = 3;
        std::uint32_t items_max = 50;
        double names_keys = 0.3, cancels = 0.2, aborts = 0.1, removes = 0.2, is_short = 0.2,
               is_purged_soon = 0.1, is_archived_soon = 0.1;
        bool tells_items = false;
    };
    Clients(Timeline& timeline, Dice& dice, Witness& witness, Habits habits)
        : timeline_(&timeline), dice_(&dice), witness_(&witness), habits_(habits) {}

    // One more thing that some client does now.
    void act(Node& node);
    // Looks at all that anyone may know of and reads it, on one node.
    void look_at_all(Node& node);
    std::vector<AccountId> accounts() const;
    bool has_created_all() const { return created_ >= habits_.batches_max; }

private:
    AccountId some_account();
    async::Task<void> create(Node& node);
    async::Task<void> look(Node& node, BatchId id);
    async::Task<void> read(Node& node, BatchId id);
    async::Task<void> read_as_ended(Node& node, BatchId id);
    async::Task<void> read_file(Node& node, core::Batch batch);
    async::Task<void> list(Node& node, AccountId account);
    async::Task<void> stop(Node& node, BatchId id, bool aborts);
    async::Task<void> remove(Node& node, BatchId id);
    async::Task<void> look_as(Node& node, BatchId id, AccountId stranger);
    core::Batch new_batch(Node& node, std::uint32_t count);

    Timeline* timeline_;
    Dice* dice_;
    Witness* witness_;
    Habits habits_;
    std::uint32_t created_ = 0;
    std::uint64_t last_item_ = 0;
};

}  // namespace sheaf::sim
