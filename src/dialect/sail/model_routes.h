#pragma once

#include "dialect/sail/gate.h"
#include "http/router.h"
#include "service/live.h"

namespace sheaf::dialect::sail {

// /models: the models that are configured, as OpenAI's API lists them. Outlives the router.
class ModelRoutes {
public:
    // `since` is when they are said to have been made.
    ModelRoutes(service::LiveRunner& live, Timestamp since) : live_(&live), since_(since) {}

    void add_to(http::Router& router, Gate& gate);

private:
    async::Task<Reply> list();
    async::Task<Reply> retrieve(Call& call);

    service::LiveRunner* live_;
    Timestamp since_;
};

}  // namespace sheaf::dialect::sail
