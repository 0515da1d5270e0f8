#pragma once

#include "dialect/twelvelabs/batch_create.h"
#include "dialect/twelvelabs/batch_json.h"
#include "dialect/twelvelabs/gate.h"
#include "http/router.h"

namespace sheaf::dialect::twelvelabs {

// /analyze/batches and below. Outlives the router.
class BatchRoutes {
public:
    struct Parts {
        service::Batches& batches;
        service::Assets& assets;
        service::LiveRunner& live;
        service::Webhooks& webhooks;
    };
    explicit BatchRoutes(Parts parts)
        : batches_(&parts.batches),
          webhooks_(&parts.webhooks),
          creator_(parts.batches, parts.assets, parts.live) {}

    void add_to(http::Router& router, Gate& gate);

private:
    // The batch that the path names. Tasks are kept as batches of one, but only tasks show them.
    async::Task<Checked<core::Batch>> find(Call& call);
    // Of each batch, what was told of its end.
    async::Task<Checked<std::vector<Tellings>>> find_tellings(const std::vector<core::Batch>& batches);
    async::Task<Reply> list(Call& call);
    async::Task<Reply> retrieve(Call& call);
    async::Task<Reply> results(Call& call);
    async::Task<Reply> cancel(Call& call);
    async::Task<Reply> remove(Call& call);

    service::Batches* batches_;
    service::Webhooks* webhooks_;
    BatchCreator creator_;
};

}  // namespace sheaf::dialect::twelvelabs
