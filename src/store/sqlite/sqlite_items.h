#pragma once

#include "store/item_queue.h"
#include "store/sqlite/engine.h"

namespace sheaf::store {

class SqliteItems final : public ItemQueue {
public:
    explicit SqliteItems(Engine& engine) : engine_(&engine) {}
    Result<Claimed> claim(const ClaimRequest& request) override;
    Result<std::vector<ItemId>> renew(std::span<const core::Lease> leases, Timestamp until) override;
    Result<> release(std::span<const core::Lease> leases) override;
    Result<FinishReport> finish(std::span<const ItemResult> results) override;

private:
    Engine* engine_;
};

}  // namespace sheaf::store
