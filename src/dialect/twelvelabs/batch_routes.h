#pragma once

#include "dialect/twelvelabs/batch_create.h"
#include "dialect/twelvelabs/gate.h"
#include "http/router.h"

namespace sheaf::dialect::twelvelabs {

// /analyze/batches and below. Outlives the router.
class BatchRoutes {
public:
    BatchRoutes(service::Batches& batches, service::Assets& assets, service::LiveRunner& live)
        : batches_(&batches), creator_(batches, assets, live) {}

    void add_to(http::Router& router, Gate& gate);

private:
    // The batch that the path names. Tasks are kept as batches of one, but only tasks show them.
    async::Task<Checked<core::Batch>> find(Call& call);
    async::Task<Reply> list(Call& call);
    async::Task<Reply> retrieve(Call& call);
    async::Task<Reply> results(Call& call);
    async::Task<Reply> cancel(Call& call);
    async::Task<Reply> remove(Call& call);

    service::Batches* batches_;
    BatchCreator creator_;
};

}  // namespace sheaf::dialect::twelvelabs
