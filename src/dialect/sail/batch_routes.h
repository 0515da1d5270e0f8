#pragma once

#include "dialect/sail/batch_create.h"
#include "dialect/sail/gate.h"
#include "dialect/sail/status_maps.h"
#include "http/router.h"

namespace sheaf::dialect::sail {

// /batches and below. Outlives the router.
class BatchRoutes {
public:
    BatchRoutes(service::Batches& batches, service::LiveRunner& live, Limits limits)
        : batches_(&batches), creator_(batches, live, limits), maps_(batches) {}

    void add_to(http::Router& router, Gate& gate);

    async::Task<Reply> create(Call& call, service::Spool spool);
    async::Task<Reply> list(Call& call);
    async::Task<Reply> retrieve(Call& call);
    async::Task<Reply> retrieve_item(Call& call);
    // Not in the vendor's API: what has not ended is canceled, also what runs.
    async::Task<Reply> cancel(Call& call);

private:
    // The batch that the path names.
    async::Task<Checked<core::Batch>> find(Call& call);
    async::Task<Reply> show(const core::Batch& batch);

    service::Batches* batches_;
    BatchCreator creator_;
    StatusMaps maps_;
};

// An item as it is stored, whoever asked for it: its request and, if it has ended by itself, its line.
struct StoredItem {
    store::ItemOfBatch found;
    std::string body;
    std::optional<std::string> line;
};
async::Task<Checked<StoredItem>> read_stored(service::Batches& batches, store::ItemOfBatch found);

}  // namespace sheaf::dialect::sail
