#pragma once

#include <chrono>
#include <optional>

#include "dialect/results.h"
#include "service/followers.h"

namespace sheaf::dialect::native {

struct FollowQuery {
    std::uint32_t after = 0;  // how many lines the reader has
    // After so long without a line comes an empty one. Nullopt: never.
    std::optional<std::chrono::seconds> heartbeat;
};
// Nullopt: nobody asks to follow. invalid: what `follow`, `after` and `heartbeat` say is wrong.
Result<std::optional<FollowQuery>> read_follow_query(const http::Request& request);

// The lines of a batch in the order in which its items ended, from `after` on, each as soon as it is durable.
//
// The body ends when the batch has ended and all lines were sent. When it cannot go on before that, the
// connection is cut: the server stops, the results are removed. Lines are read a page at a time, and the next
// page once the reader has taken the one before: however slow it is, no more than that is held.
// invalid: `after` is more than there are lines.
async::Task<Result<http::Response>> follow_results(service::Batches& batches, service::Followers& followers,
                                                   BatchId id, FollowQuery query, LineOfUnrun line_of_unrun);

}  // namespace sheaf::dialect::native
