#include "protocol/translation.h"

#include <utility>

#include <fmt/format.h>

#include "protocol/chat_reply.h"
#include "protocol/chat_request.h"
#include "protocol/embeddings_reply.h"
#include "protocol/field_names.h"
#include "protocol/messages_reply.h"
#include "protocol/messages_request.h"
#include "protocol/read_reply.h"
#include "protocol/responses_reply.h"
#include "protocol/responses_request.h"

namespace sheaf::protocol {
namespace {

std::unexpected<Error> no_translation(Protocol from, Protocol to) {
    return fail(ErrorCode::invalid, fmt::format("The model server speaks {}, which cannot say what {} asks.",
                                                display_name(to), display_name(from)));
}

Result<Conversation> read_request(Protocol from, std::string_view body) {
    switch (from) {
        case Protocol::chat_completions:
            return read_chat_request(body);
        case Protocol::messages:
            return read_messages_request(body);
        case Protocol::responses:
            return read_responses_request(body);
        case Protocol::embeddings:
            break;
    }
    return Conversation{};
}

Result<std::string> write_request(Protocol to, Conversation conversation, const TranslateOptions& options) {
    switch (to) {
        case Protocol::chat_completions:
            return write_chat_request(std::move(conversation), options);
        case Protocol::messages:
            return write_messages_request(std::move(conversation), options);
        case Protocol::responses:
            return write_responses_request(conversation, options);
        case Protocol::embeddings:
            break;
    }
    return no_translation(conversation.source, to);
}

Result<std::string> write_reply(Protocol from, Protocol to, const Completion& completion,
                                std::string_view request, std::string_view model) {
    switch (to) {
        case Protocol::chat_completions:
            return write_chat_reply(completion, model);
        case Protocol::messages:
            return write_messages_reply(completion, request, model);
        case Protocol::responses:
            return write_responses_reply(completion, request, model);
        case Protocol::embeddings:
            break;
    }
    return no_translation(from, to);
}

Result<Reply> complete_reply(Protocol protocol, std::string_view reply, std::string_view request,
                             std::string_view model) {
    switch (protocol) {
        case Protocol::chat_completions:
            return complete_chat_reply(reply, model);
        case Protocol::messages:
            return complete_messages_reply(reply, model);
        case Protocol::responses:
            return complete_responses_reply(reply, request, model);
        case Protocol::embeddings:
            break;
    }
    return complete_embeddings_reply(reply, model);
}

bool is_embeddings(Protocol from, Protocol to) {
    return from == Protocol::embeddings || to == Protocol::embeddings;
}

}  // namespace

Result<std::string> translate_request(Protocol from, Protocol to, std::string_view body,
                                      const TranslateOptions& options) {
    if (from == to) return with_model(from, body, options.model, options.stream);
    if (is_embeddings(from, to)) return no_translation(from, to);
    auto conversation = read_request(from, body);
    if (!conversation) return std::unexpected(conversation.error());
    conversation->source = from;
    return write_request(to, *std::move(conversation), options);
}

Result<Reply> translate_reply(Protocol from, Protocol to, std::string_view reply, std::string_view request,
                              std::string_view model) {
    if (from == to) return complete_reply(from, reply, request, model);
    if (is_embeddings(from, to)) return no_translation(from, to);
    const auto completion = read_reply(from, reply);
    if (!completion) return std::unexpected(completion.error());
    auto body = write_reply(from, to, *completion, request, model);
    if (!body) return std::unexpected(body.error());
    return Reply{.body = *std::move(body), .usage = completion->usage.value_or(core::Usage{})};
}

}  // namespace sheaf::protocol
