#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/inference.h"

// What is common to the wire protocols of model servers: Chat Completions, Messages and Responses. Requests
// and answers are read into one canonical value (conversation.h) and written from it, so that a server that
// speaks one of them serves clients of all. Pure functions; threads: any.
namespace sheaf::protocol {

using core::Protocol;

// The request with its model's name replaced by `model` and without `stream` and `stream_options` (with
// "stream":true in their place when `stream` is set, and "stream_options":{"include_usage":true} beside it in
// Chat Completions). Every other byte stays as the client sent it. invalid: no JSON object.
Result<std::string> with_model(Protocol protocol, std::string_view body, std::string_view model, bool stream);

// The same request in another protocol. invalid: what it asks cannot be said there, with the path of the
// field as `from` writes it (Messages: "messages.0.content.1.source", Chat and Responses:
// "input[0].content[1]"); nothing is dropped silently but what changes no answer (cache hints, metadata, user
// names, service tiers). Embeddings are never translated.
struct TranslateOptions {
    std::string_view model;  // the name the server knows
    bool stream = false;
};
Result<std::string> translate_request(Protocol from, Protocol to, std::string_view body,
                                      const TranslateOptions& options);

// A server's answer, made whole: what its protocol demands and the server left out is filled in.
struct Reply {
    std::string body;  // one JSON object on one line
    core::Usage usage;
};
// The answer of a server that speaks `from` to a client of `to`; the same protocol twice only makes it whole.
// `request` is the client's own body, some of which the answer repeats. `model` is the name clients use.
// invalid: it is no answer in `from`: nothing in it can be told to a client.
Result<Reply> translate_reply(Protocol from, Protocol to, std::string_view reply, std::string_view request,
                              std::string_view model);

// The same for an answer that streams: takes a server's events, gives the client's as bytes to send
// ("event: …\ndata: …\n\n"), and at the end the answer as if it had come in one piece.
class StreamTranslator {
public:
    virtual ~StreamTranslator() = default;
    // Bytes of server-sent events, cut anywhere. invalid: no such stream, or an error event, whose message is
    // the error's; too_large: an event beyond 4 MiB.
    virtual Result<std::string> feed(std::string_view bytes) = 0;
    // The stream has ended: the last events, and the whole answer. invalid: it ended before the answer did.
    struct End {
        std::string events;
        Reply reply;
    };
    virtual Result<End> finish() = 0;
};
std::unique_ptr<StreamTranslator> make_stream_translator(Protocol from, Protocol to, std::string_view request,
                                                         std::string_view model);

// A fault of a request in its own protocol, as its vendor's server tells it: `field` is the path, in the
// vendor's way, `message` without the path. What is checked is what would surprise a model server; unknown
// fields pass but for Messages, whose requests are closed objects.
struct CheckOptions {
    bool batch = false;  // refuses what may not stand in a batch: streams, and what the contract names
    // Of Messages: the call only counts tokens, so that nothing about the answer may stand in it.
    bool counts_tokens = false;
};
Result<> check_request(Protocol protocol, std::string_view body, const CheckOptions& options);

}  // namespace sheaf::protocol
