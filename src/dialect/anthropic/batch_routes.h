#pragma once

#include <string>

#include "dialect/anthropic/batch_create.h"
#include "dialect/anthropic/gate.h"
#include "http/router.h"

namespace sheaf::dialect::anthropic {

// /v1/messages/batches and below. Outlives the router.
class BatchRoutes {
public:
    BatchRoutes(BatchCreator::Parts parts, std::string public_url)
        : batches_(parts.batches), public_url_(std::move(public_url)), creator_(std::move(parts)) {}

    void add_to(http::Router& router, Gate& gate);

private:
    // The batch that the path names.
    async::Task<Checked<core::Batch>> find(Call& call);
    async::Task<Reply> create(Call& call);
    async::Task<Reply> list(Call& call);
    async::Task<Reply> retrieve(Call& call);
    async::Task<Reply> results(Call& call);
    async::Task<Reply> cancel(Call& call);
    async::Task<Reply> remove(Call& call);
    http::Response show(const Call& call, const core::Batch& batch) const;

    service::Batches* batches_;
    std::string public_url_;
    BatchCreator creator_;
};

}  // namespace sheaf::dialect::anthropic
