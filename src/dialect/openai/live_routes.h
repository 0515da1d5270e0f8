#pragma once

#include <cstdint>

#include "dialect/event_call.h"
#include "dialect/openai/endpoints.h"
#include "dialect/openai/gate.h"
#include "http/router.h"
#include "service/live.h"

namespace sheaf::dialect::openai {

// POST /v1/chat/completions, /v1/responses and /v1/embeddings: one model request, answered at once, whole or
// as events. Outlives the router.
class LiveRoutes {
public:
    struct Parts {
        service::LiveRunner* live = nullptr;
        std::uint64_t body_bytes_max = 0;
        CallTimes times;
    };
    LiveRoutes(async::Executor executor, Parts parts)
        : executor_(executor), parts_(std::move(parts)), leaving_(executor) {}

    void add_to(http::Router& router, Gate& gate);
    // Waits for the calls of clients that went away.
    async::Task<void> stop() { return leaving_.wait_until_empty(); }

private:
    async::Task<Reply> run(Call& call, const ModelEndpoint& endpoint);

    async::Executor executor_;
    Parts parts_;
    async::TaskGroup leaving_;
};

}  // namespace sheaf::dialect::openai
