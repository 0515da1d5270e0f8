#pragma once

#include <memory>
#include <string>

#include "protocol/stream_assembly.h"
#include "protocol/stream_events.h"

// An answer that streams as the events of Responses: response.created and response.in_progress, then of each
// output item its beginning, its parts and its end, then response.completed or response.incomplete with the
// whole object.
namespace sheaf::protocol {

std::unique_ptr<StreamReader> make_responses_stream_reader();

// Tells `model`, and repeats what `request` set.
std::unique_ptr<StreamWriter> make_responses_stream_writer(std::string request, std::string model);

}  // namespace sheaf::protocol
