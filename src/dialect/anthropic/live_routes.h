#pragma once

#include <memory>

#include "dialect/anthropic/gate.h"
#include "dialect/event_call.h"
#include "http/router.h"
#include "service/live.h"

namespace sheaf::dialect::anthropic {

// POST /v1/messages, answered whole or as events, and POST /v1/messages/count_tokens. Outlives the router.
//
// A call that fails before anything of its answer was sent is told so by its status; afterwards a stream ends
// with an event "error", and an answer in one piece is cut.
class LiveRoutes {
public:
    struct Parts {
        service::LiveRunner* live = nullptr;
        bool refuses_sampling = false;
        CallTimes times;
    };
    LiveRoutes(async::Executor executor, Parts parts)
        : executor_(executor), parts_(parts), leaving_(executor) {}

    void add_to(http::Router& router, Gate& gate);
    // Waits for the work of clients that went away.
    async::Task<void> stop() { return leaving_.wait_until_empty(); }

private:
    async::Task<Reply> create_message(Call& call);
    async::Task<Reply> count_tokens(Call& call);
    // What the body asks, checked.
    struct Asked {
        core::ModelRequest request;
        bool streams = false;
    };
    async::Task<Checked<Asked>> read(Call& call, bool counts_tokens);
    std::shared_ptr<LiveCall> start(const Call& call, core::ModelRequest request, LiveCall::Text text);

    async::Executor executor_;
    Parts parts_;
    async::TaskGroup leaving_;
};

}  // namespace sheaf::dialect::anthropic
