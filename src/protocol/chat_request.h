#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/conversation.h"
#include "protocol/translation.h"

namespace sheaf::protocol {

// A Chat Completions request as a conversation. invalid, with the path as "messages[0].content[1]": it is no
// such request, or asks what other protocols do not have (several choices, audio, files, extensions of one
// server).
Result<Conversation> read_chat_request(std::string_view body);

// The conversation as a Chat Completions request. invalid: it asks what the protocol does not have, with the
// path in the protocol it came from.
//
// Beyond OpenAI's own fields stand, where they are asked for, those of vLLM, SGLang and llama-server: top_k;
// chat_template_kwargs.enable_thinking, thinking_token_budget and thinking_budget_tokens;
// continue_final_message and add_generation_prompt. What a model thought earlier is left out.
Result<std::string> write_chat_request(Conversation conversation, const TranslateOptions& options);

}  // namespace sheaf::protocol
