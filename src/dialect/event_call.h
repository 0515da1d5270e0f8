#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "async/task.h"
#include "dialect/live_call.h"
#include "http/message.h"

namespace sheaf::dialect {

// How long a call that waits for its model keeps quiet.
struct CallTimes {
    // An answer in one piece that takes longer begins with 200 and blanks, so that clients and what stands
    // between do not give up on it.
    std::chrono::milliseconds patience{60'000};
    // A stream without events begins after so long; until then a failure still has a status of its own.
    std::chrono::milliseconds first_event{15'000};
    std::chrono::milliseconds keep_alive{15'000};
    // How often a call without news looks whether its client is still there.
    std::chrono::milliseconds look_every{1'000};
};

// How a vendor tells of calls that do not end well.
struct CallForm {
    std::string keep_alive;  // in a stream: what clients pass over
    // The answer to a call that ended without success before anything was sent.
    std::function<http::Response(const core::Ending&)> refusal;
    // The last event of a stream that ended so under way.
    std::function<std::string(const core::Ending&)> failed_event;
};

// Answers of model requests whose call runs already. When the client goes away, the call is dropped.
//
// As the events that come (call: Text::streamed).
async::Task<http::Response> answer_with_events(std::shared_ptr<LiveCall> call, CallForm form,
                                               CallTimes times);
// As the whole reply, one JSON document (call: Text::none). A call that fails after its answer began has its
// connection cut.
async::Task<http::Response> answer_with_reply(std::shared_ptr<LiveCall> call, CallForm form, CallTimes times);

}  // namespace sheaf::dialect
