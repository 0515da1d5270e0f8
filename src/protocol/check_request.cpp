#include <array>

#include <fmt/format.h>

#include "jsonl/document.h"
#include "protocol/check_messages.h"
#include "protocol/translation.h"
#include "protocol/value.h"

namespace sheaf::protocol {
namespace {

Result<> check_not_streamed(const Value& request) {
    const auto stream = request.find("stream");
    if (!stream) return {};
    const auto flag = as_flag(*stream);
    if (!flag) return std::unexpected(flag.error());
    if (*flag) return stream->refuse("Streaming is not supported in a batch.");
    return {};
}

std::unexpected<Error> missing(std::string_view name) {
    return fail(ErrorCode::invalid, fmt::format("Missing required parameter: '{}'.", name),
                std::string(name));
}

Result<> expect_messages(const Value& messages) {
    if (auto fits = expect_array(messages); !fits) return fits;
    if (dom::array(messages.json()).size() == 0)
        return messages.refuse("Input should have at least one message.");
    return for_each_value(messages, [](const Value& message) -> Result<> {
        const auto role = required_text(message, "role");
        return role ? Result<>{} : std::unexpected(role.error());
    });
}

Result<> check_chat(const Value& request) {
    const auto messages = request.find("messages");
    if (!messages) return missing("messages");
    return expect_messages(*messages);
}

// What needs a server that remembers.
constexpr std::array<std::string_view, 3> kStateful{"previous_response_id", "conversation", "prompt"};

Result<> check_responses(const Value& request) {
    for (const auto name : kStateful)
        if (const auto value = request.find(name)) return value->refuse("This is not supported.");
    const auto input = request.find("input");
    if (!input) return missing("input");
    if (input->json().is_string()) return {};
    if (input->json().is_object()) {
        const auto messages = input->find("messages");
        if (!messages) return input->refuse("Input should be a string or an array of items.");
        return expect_messages(*messages);
    }
    if (!input->json().is_array()) return input->refuse("Input should be a string or an array of items.");
    if (dom::array(input->json()).size() == 0) return input->refuse("Input should have at least one item.");
    return {};
}

Result<> check_embeddings(const Value& request) {
    return request.find("input") ? Result<>{} : missing("input");
}

Result<> check_basics(Protocol protocol, const Value& request) {
    switch (protocol) {
        case Protocol::chat_completions:
            return check_chat(request);
        case Protocol::responses:
            return check_responses(request);
        case Protocol::embeddings:
            return check_embeddings(request);
        case Protocol::messages:
            break;
    }
    return {};
}

}  // namespace

Result<> check_request(Protocol protocol, std::string_view body, const CheckOptions& options) {
    if (protocol == Protocol::messages) return check_messages_request(body, options);
    const auto document = jsonl::Document::parse(body);
    if (!document) return std::unexpected(document.error());
    const Value request(document->root(), PathStyle::bracketed);
    if (auto fits = expect_object(request); !fits) return fits;
    if (auto fits = check_basics(protocol, request); !fits) return fits;
    return options.batch && protocol != Protocol::embeddings ? check_not_streamed(request) : Result<>{};
}

}  // namespace sheaf::protocol
