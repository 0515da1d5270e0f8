#pragma once

#include <memory>
#include <string>

#include "dialect/anthropic/gate.h"
#include "dialect/live_answer.h"
#include "http/router.h"
#include "service/live.h"

namespace sheaf::dialect::anthropic {

// POST /v1/messages, answered whole or as events, and POST /v1/messages/count_tokens. Outlives the router.
//
// A call that fails before anything of its answer was sent is told so by its status. A stream that has begun
// ends with an event "error"; a slow answer that has begun is cut.
class LiveRoutes {
public:
    struct Parts {
        service::LiveRunner* live = nullptr;
        bool refuses_sampling = false;
        LiveTimes times;
    };
    LiveRoutes(async::Executor executor, Parts parts) : parts_(parts), leaving_(executor) {}

    void add_to(http::Router& router, Gate& gate);
    // Waits for the work of clients that went away.
    async::Task<void> stop() { return leaving_.wait_until_empty(); }

private:
    async::Task<Reply> create_message(Call& call);
    async::Task<Reply> count_tokens(Call& call);
    // Reads and checks the body and starts what it asks.
    struct Started {
        std::shared_ptr<LiveCall> live;
        bool streams = false;
    };
    async::Task<Checked<Started>> start(Call& call, bool counts_tokens);
    async::Task<Reply> answer_whole(std::shared_ptr<LiveCall> live);
    async::Task<Reply> answer_with_events(std::shared_ptr<LiveCall> live, std::string request_id);

    Parts parts_;
    async::TaskGroup leaving_;
};

}  // namespace sheaf::dialect::anthropic
