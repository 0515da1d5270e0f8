#pragma once

#include <chrono>
#include <string>

#include "dialect/event_call.h"
#include "dialect/sail/gate.h"
#include "dialect/sail/sail.h"
#include "http/router.h"

namespace sheaf::dialect::sail {

// /responses: one request, answered at once, as a stream of events, or in the background; and any response by
// its id, an item of a batch too. Outlives the router.
class ResponseRoutes {
public:
    struct Parts {
        service::Batches* batches = nullptr;
        service::LiveRunner* live = nullptr;
        std::uint64_t body_bytes_max = 0;
        CallTimes times{.first_event = std::chrono::seconds{10}};  // of streams
    };
    ResponseRoutes(async::Executor executor, Parts parts)
        : executor_(executor), parts_(parts), leaving_(executor) {}

    void add_to(http::Router& router, Gate& gate);
    async::Task<Reply> retrieve(Call& call);
    // Waits for the work of clients that went away.
    async::Task<void> stop() { return leaving_.wait_until_empty(); }

private:
    async::Task<Reply> create(Call& call);
    // Stores the request as a batch of one that no list shows, to be run like any other.
    async::Task<Reply> create_in_background(const AccountId& account, std::string body);
    async::Task<Reply> answer_whole(const AccountId& account, std::string body);
    async::Task<Reply> answer_as_stream(const AccountId& account, std::string body);

    async::Executor executor_;
    Parts parts_;
    async::TaskGroup leaving_;
};

}  // namespace sheaf::dialect::sail
