#include "protocol/field_names.h"

#include <fmt/format.h>

namespace sheaf::protocol {
namespace {

using core::Protocol;

struct Names {
    std::string_view chat;
    std::string_view messages;
    std::string_view responses;
};

Names names_of(Field field) {
    switch (field) {
        case Field::turns:
            return {"messages", "messages", "input"};
        case Field::tools:
            return {"tools", "tools", "tools"};
        case Field::tool_choice:
            return {"tool_choice", "tool_choice", "tool_choice"};
        case Field::parallel_tool_calls:
            return {"parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "parallel_tool_calls"};
        case Field::format:
            return {"response_format", "output_config.format", "text.format"};
        case Field::reasoning:
            return {"reasoning_effort", "thinking", "reasoning"};
        case Field::effort:
            return {"reasoning_effort", "output_config.effort", "reasoning.effort"};
        case Field::max_tokens:
            return {"max_completion_tokens", "max_tokens", "max_output_tokens"};
        case Field::temperature:
            return {"temperature", "temperature", "temperature"};
        case Field::top_p:
            return {"top_p", "top_p", "top_p"};
        case Field::top_k:
            return {"top_k", "top_k", "top_k"};
        case Field::frequency_penalty:
            return {"frequency_penalty", "frequency_penalty", "frequency_penalty"};
        case Field::presence_penalty:
            return {"presence_penalty", "presence_penalty", "presence_penalty"};
        case Field::seed:
            return {"seed", "seed", "seed"};
        case Field::stop:
            return {"stop", "stop_sequences", "stop"};
        case Field::logprobs:
            return {"logprobs", "logprobs", "top_logprobs"};
        case Field::verbosity:
            return {"verbosity", "verbosity", "text.verbosity"};
    }
    return {};
}

}  // namespace

std::string_view display_name(Protocol protocol) {
    switch (protocol) {
        case Protocol::chat_completions:
            return "Chat Completions";
        case Protocol::messages:
            return "Messages";
        case Protocol::responses:
            return "Responses";
        case Protocol::embeddings:
            return "Embeddings";
    }
    return {};
}

std::string_view field_name(Protocol protocol, Field field) {
    const Names names = names_of(field);
    switch (protocol) {
        case Protocol::messages:
            return names.messages;
        case Protocol::responses:
            return names.responses;
        case Protocol::chat_completions:
        case Protocol::embeddings:
            break;
    }
    return names.chat;
}

std::unexpected<Error> cannot_say(Protocol target, std::string_view what, std::string path) {
    return fail(ErrorCode::invalid,
                fmt::format("The model server speaks {}, which has no {}.", display_name(target), what),
                std::move(path));
}

std::unexpected<Error> cannot_say(Protocol target, std::string_view what, const Conversation& conversation,
                                  Field field) {
    return cannot_say(target, what, std::string(field_name(conversation.source, field)));
}

}  // namespace sheaf::protocol
