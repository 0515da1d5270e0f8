#pragma once

#include <memory>
#include <string>

#include "protocol/stream_assembly.h"
#include "protocol/stream_events.h"

// An answer that streams as the events of Messages: message_start, then of each block its start, deltas and
// stop, then message_delta and message_stop.
namespace sheaf::protocol {

std::unique_ptr<StreamReader> make_messages_stream_reader();

// Tells `model`; thoughts only if `request` asked to see them, as in write_messages_reply().
std::unique_ptr<StreamWriter> make_messages_stream_writer(std::string request, std::string model);

}  // namespace sheaf::protocol
