#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "async/task.h"
#include "base/result.h"
#include "dialect/live_call.h"
#include "http/message.h"

namespace sheaf::dialect {

// How long a live call keeps quiet.
struct LiveTimes {
    // An answer that takes longer begins before it is known, so that clients do not give up on it.
    std::chrono::milliseconds patience{60'000};
    std::chrono::milliseconds keep_alive{15'000};
    // How often a call without news looks whether its client is still there.
    std::chrono::milliseconds look_every{1'000};
};

// Until the call has ended, at most for `times.patience`. Text that comes is dropped.
async::Task<void> await_ending(LiveCall& call, LiveTimes times);
// Until there is text or an ending, at most for `times.keep_alive`.
async::Task<void> await_text(LiveCall& call, LiveTimes times);

// What is sent of a call's answer.
struct LiveBody {
    std::string first;       // at once
    std::string keep_alive;  // when nothing else was to be sent for a while
    // What to send of the text that came since it was last asked.
    std::function<std::string(LiveCall&)> more;
    // The rest, of a call that has ended. An error cuts the connection, so that nobody takes what came for
    // all of it.
    std::function<Result<std::string>(LiveCall&)> last;
};
// A JSON document that `document` makes of the ending, after as many blanks as it takes.
LiveBody document_after_blanks(std::function<Result<std::string>(const core::Ending&)> document);

// canceled: the client went away, which ends the call as soon as nobody else holds it.
async::Task<Result<>> send_live(std::shared_ptr<LiveCall> call, LiveBody body, LiveTimes times,
                                http::BodyWriter& out);

}  // namespace sheaf::dialect
