#pragma once

#include <optional>
#include <string>

#include "core/outcome.h"
#include "http/message.h"

namespace sheaf::dialect::openai {

// A failure as the answer of the endpoint that was asked: its status, and
// {"error":{message,type,param,code}}.
struct FailedAnswer {
    int status = 0;
    std::string body;
};
// What a model server answered is passed on, and made whole where its error is another's. Nullopt: there was
// no answer, such as after a time-out.
std::optional<FailedAnswer> to_answer(const core::Failure& failure);

// The same for a direct call, which always has an answer.
http::Response to_response(const core::Ending& ending);
// As the last event of a stream that failed under way.
std::string to_event(const core::Ending& ending);

// What is told of a failure that is no answer.
std::string message_of(const core::Failure& failure);

}  // namespace sheaf::dialect::openai
