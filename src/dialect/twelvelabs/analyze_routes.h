#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "dialect/live_call.h"
#include "dialect/twelvelabs/gate.h"
#include "http/router.h"
#include "service/assets.h"
#include "service/live.h"

namespace sheaf::dialect::twelvelabs {

// How long a direct call keeps quiet.
struct DirectTimes {
    // An answer that takes longer begins with 200 and blanks, so that clients do not give up on it.
    std::chrono::milliseconds patience{60'000};
    std::chrono::milliseconds keep_alive{15'000};
    // How often a call without news looks whether its client is still there.
    std::chrono::milliseconds look_every{1'000};
};

// POST /analyze: one analysis, answered at once or as a stream of JSON lines. Outlives the router.
class AnalyzeRoutes {
public:
    struct Parts {
        service::Assets* assets = nullptr;
        service::LiveRunner* live = nullptr;
        std::string default_model;
        DirectTimes times;
    };
    AnalyzeRoutes(async::Executor executor, Parts parts) : parts_(std::move(parts)), leaving_(executor) {}

    void add_to(http::Router& router, Gate& gate);
    // Waits for the analyses of clients that went away.
    async::Task<void> stop() { return leaving_.wait_until_empty(); }

private:
    async::Task<Reply> analyze(Call& call);
    async::Task<Reply> answer_whole(std::shared_ptr<LiveCall> live, std::string generation);

    Parts parts_;
    async::TaskGroup leaving_;
};

}  // namespace sheaf::dialect::twelvelabs
