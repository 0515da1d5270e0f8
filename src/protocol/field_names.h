#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/conversation.h"

namespace sheaf::protocol {

// "Chat Completions", "Messages", "Responses", "Embeddings".
std::string_view display_name(core::Protocol protocol);

// What a request may ask beside its turns, under whatever name its protocol has for it.
enum class Field : std::uint8_t {
    turns,
    tools,
    tool_choice,
    parallel_tool_calls,
    format,
    reasoning,
    effort,
    max_tokens,
    temperature,
    top_p,
    top_k,
    frequency_penalty,
    presence_penalty,
    seed,
    stop,
    logprobs,
    verbosity,
};
// The path of `field` as `protocol` writes it; of one that the protocol lacks, the nearest name.
std::string_view field_name(core::Protocol protocol, Field field);

// invalid: "The model server speaks `target`, which has no `what`.", with the path of what asks for it.
std::unexpected<Error> cannot_say(core::Protocol target, std::string_view what, std::string path);
std::unexpected<Error> cannot_say(core::Protocol target, std::string_view what,
                                  const Conversation& conversation, Field field);

}  // namespace sheaf::protocol
