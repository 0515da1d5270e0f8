#pragma once

#include "base/clock.h"
#include "dialect/dialect.h"
#include "dialect/openai/gate.h"
#include "service/live.h"

namespace sheaf::dialect::openai {

// GET /v1/models and /v1/models/{id}, which another vendor has too. Outlives the router.
class ModelRoutes {
public:
    // `created` is when every model is said to be made.
    ModelRoutes(Gate& gate, service::LiveRunner& live, Timestamp created)
        : gate_(&gate), live_(&live), created_(created) {}

    void add_to(SharedHandlers& handlers);

private:
    async::Task<Reply> list();
    async::Task<Reply> retrieve(Call& call);

    Gate* gate_;
    service::LiveRunner* live_;
    Timestamp created_;
};

std::unexpected<Problem> refuse_model(std::string_view name);

}  // namespace sheaf::dialect::openai
