#pragma once

#include <string>

#include "cli/follow.h"
#include "cli/session.h"

namespace sheaf::cli {

struct FollowTarget {
    std::string batch_id;
    std::string output;  // a file that grows, and is gone on with; empty or "-": standard output
    ResultForm form = ResultForm::text;
};

// Prints each line of a batch when it is durable, in that order and once, until the batch has ended. A lost
// connection, also to a server that is started anew, is made again from where it was, for as long as it
// takes. A file must hold the beginning of the same stream.
async::Task<Outcome<>> follow_results(Session& session, FollowTarget target);

}  // namespace sheaf::cli
