#pragma once

#include "store/item_queue.h"
#include "store/postgres/engine.h"

namespace sheaf::store::postgres {

class PostgresItems final : public ItemQueue {
public:
    explicit PostgresItems(Engine& engine) : engine_(&engine) {}

    Result<Claimed> claim(const ClaimRequest& request) override;
    Result<std::vector<ItemId>> renew(std::span<const core::Lease> leases, Timestamp until) override;
    Result<> release(std::span<const core::Lease> leases) override;
    Result<FinishReport> finish(std::span<const ItemResult> results) override;

private:
    Engine* engine_;
};

}  // namespace sheaf::store::postgres
