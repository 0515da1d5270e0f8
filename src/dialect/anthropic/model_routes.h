#pragma once

#include "dialect/anthropic/gate.h"
#include "http/router.h"
#include "service/live.h"

namespace sheaf::dialect::anthropic {

// GET /v1/models and GET /v1/models/{id}, which other vendors have too. Outlives the router.
class ModelRoutes {
public:
    explicit ModelRoutes(service::LiveRunner& live) : live_(&live) {}

    http::Handler list_handler(Gate& gate);
    // The id is the path's first {…}.
    http::Handler retrieve_handler(Gate& gate);

private:
    async::Task<Reply> list(Call& call);
    async::Task<Reply> retrieve(Call& call);

    service::LiveRunner* live_;
};

}  // namespace sheaf::dialect::anthropic
