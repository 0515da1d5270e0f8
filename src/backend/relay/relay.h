#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/servers.h"
#include "core/outcome.h"
#include "protocol/translation.h"

namespace sheaf::backend::relay {

// Model requests, sent on to servers and answered in the protocol they were asked in.
//
// What a server says is kept: its status and error object in the failure, and the path of the fault where it
// is the client's own protocol. An answer that makes no sense is Broken. How many tokens a request has is
// asked of the servers' own /messages/count_tokens, else of /tokenize at the origin, as vLLM has it; where
// there is neither it is an estimate of four bytes a token (token_estimate.h).
class Relay {
public:
    using OnText = std::function<void(std::string_view)>;

    // `model` is the name the servers know, `spoken` the protocols they speak. The servers outlive this.
    Relay(Servers& servers, std::string model, std::vector<core::Protocol> spoken)
        : servers_(&servers), model_(std::move(model)), spoken_(std::move(spoken)) {}

    // Streams to `on_text` if it is set, but for embeddings and counts, which come in one piece. `prefix`: as
    // in Job.
    async::Task<core::Outcome> run(core::ModelRequest request, OnText on_text, std::uint64_t prefix);

    bool speaks(core::Protocol protocol) const;

private:
    std::optional<core::Protocol> find_target(core::Protocol asked) const;
    Result<std::string> body_for(core::Protocol target, const core::ModelRequest& request, bool stream) const;
    ServerCall call(core::Protocol target, std::string body, std::uint64_t prefix = 0) const;
    async::Task<core::Outcome> ask(const core::ModelRequest& request, core::Protocol target, std::string body,
                                   std::uint64_t prefix);
    async::Task<core::Outcome> ask_streaming(const core::ModelRequest& request, core::Protocol target,
                                             std::string body, const OnText& on_text);
    async::Task<core::Outcome> count(const core::ModelRequest& request);
    async::Task<std::optional<core::Outcome>> ask_for_count(ServerCall call, std::string_view member);
    core::Outcome outcome_without_reply(const http::ClientResponse& response, bool is_own_protocol) const;

    Servers* servers_;
    std::string model_;
    std::vector<core::Protocol> spoken_;
};

}  // namespace sheaf::backend::relay
