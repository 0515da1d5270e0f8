#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/id.h"
#include "core/inference.h"
#include "core/outcome.h"

namespace sheaf::service {

// Answers one inference now, ahead of batch work. The scheduler implements it.
//
// May be called from any executor and resumes there. Canceling the awaiting coroutine (the client went away)
// stops the work. `on_text` is called on the caller's executor, in order, before the task ends.
// It gets the text of a video analysis, and of a model request the events to send to a client of its protocol
// ("event: …\ndata: …\n\n", whole ones); without it nothing streams.
class LiveRunner {
public:
    virtual ~LiveRunner() = default;
    virtual async::Task<core::Ending> run_live(AccountId account, core::Inference inference,
                                               std::function<void(std::string_view)> on_text) = 0;
    // Whether a model of this name is configured.
    virtual bool knows_model(std::string_view model) const = 0;
    // The names of all that are, in order.
    virtual std::vector<std::string> models() const = 0;
};

}  // namespace sheaf::service
