#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dialect/twelvelabs/batch_request.h"
#include "dialect/twelvelabs/gate.h"
#include "dialect/twelvelabs/idempotency.h"
#include "service/assets.h"
#include "service/batches.h"
#include "service/live.h"

namespace sheaf::dialect::twelvelabs {

// POST /analyze/batches: all of it is stored before the answer, or nothing is.
//
// The order of checks is the contract's: syntax, fields (the first wrong item is told), the limit on active
// batches, assets that do not exist, assets that are not ready, and how much content there is.
class BatchCreator {
public:
    BatchCreator(service::Batches& batches, service::Assets& assets, service::LiveRunner& live)
        : batches_(&batches), assets_(&assets), live_(&live) {}

    async::Task<Reply> create(Call& call);

private:
    async::Task<Checked<BatchRequest>> read_request(std::string_view body);
    async::Task<Checked<>> check_active(const AccountId& account);
    async::Task<Checked<>> check_assets(const AccountId& account, const BatchRequest& request);
    async::Task<Reply> submit(const AccountId& account, const BatchRequest& request, std::string_view body,
                              service::Spool spool, std::optional<RepeatableCall> repeatable);

    service::Batches* batches_;
    service::Assets* assets_;
    service::LiveRunner* live_;
};

}  // namespace sheaf::dialect::twelvelabs
