#pragma once

#include <optional>

#include <simdjson.h>

#include "core/item.h"
#include "jsonl/writer.h"

// The counts of an answer's tokens. Chat Completions counts all input and names the cached part of it;
// Messages counts the cached part apart.
namespace sheaf::protocol {

// The value of "usage"; nullopt when it is no object. What is absent is 0.
std::optional<core::Usage> read_chat_usage(simdjson::dom::element usage);
std::optional<core::Usage> read_messages_usage(simdjson::dom::element usage);

// Writes the object, with every field the protocol has.
void write_chat_usage(jsonl::Writer& json, const core::Usage& usage);
void write_messages_usage(jsonl::Writer& json, const core::Usage& usage);

}  // namespace sheaf::protocol
