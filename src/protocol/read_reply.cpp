#include "protocol/read_reply.h"

#include "protocol/chat_reply.h"
#include "protocol/messages_reply.h"
#include "protocol/responses_reply.h"

namespace sheaf::protocol {

using core::Protocol;

Result<Completion> read_reply(Protocol protocol, std::string_view reply) {
    switch (protocol) {
        case Protocol::chat_completions:
            return read_chat_reply(reply);
        case Protocol::messages:
            return read_messages_reply(reply);
        case Protocol::responses:
            return read_responses_reply(reply);
        case Protocol::embeddings:
            break;
    }
    return fail(ErrorCode::invalid, "The model server's answer does not stream.");
}

}  // namespace sheaf::protocol
