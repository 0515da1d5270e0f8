#pragma once

#include "dialect/dialect.h"
#include "dialect/openai/batch_create.h"
#include "dialect/openai/gate.h"

namespace sheaf::dialect::openai {

// /v1/batches and below, which another vendor has too. Outlives the router.
class BatchRoutes {
public:
    BatchRoutes(Gate& gate, BatchCreator::Parts parts)
        : gate_(&gate), batches_(parts.batches), creator_(std::move(parts)) {}

    void add_to(SharedHandlers& handlers);

private:
    async::Task<http::Response> create(http::Request& request, service::Spool body);
    // The batch that the path names.
    async::Task<Checked<core::Batch>> find(Call& call);
    async::Task<Reply> list(Call& call);
    async::Task<Reply> retrieve(Call& call);
    async::Task<Reply> cancel(Call& call);

    Gate* gate_;
    service::Batches* batches_;
    BatchCreator creator_;
};

}  // namespace sheaf::dialect::openai
