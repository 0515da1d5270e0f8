#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "protocol/stream_assembly.h"
#include "protocol/stream_events.h"

// An answer that streams as chat.completion.chunk objects. Of several choices the first counts. The "[DONE]"
// at the end is no such object: the reader is not shown it, the writer writes it.
namespace sheaf::protocol {

std::unique_ptr<StreamReader> make_chat_stream_reader();

// Whether the client asked for the chunk that has no choice but the usage.
bool wants_usage_chunk(std::string_view request);

// Tells `model`; what the model thinks goes into "reasoning_content", as in write_chat_reply().
std::unique_ptr<StreamWriter> make_chat_stream_writer(std::string_view request, std::string model);

}  // namespace sheaf::protocol
