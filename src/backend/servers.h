#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task_group.h"
#include "async/timer.h"
#include "backend/admission.h"
#include "backend/backend.h"
#include "backend/retry_budget.h"
#include "backend/server_roster.h"
#include "base/result.h"
#include "base/secret.h"
#include "core/outcome.h"
#include "http/client.h"

namespace sheaf::backend {

struct ServersOptions {
    std::vector<std::string> urls;  // "http://127.0.0.1:8000/v1"; all serve the same model
    Secret key;                     // sent as a bearer token, if not empty
    std::chrono::milliseconds answer_time{600'000};
    std::chrono::milliseconds probe_time{5'000};
    EjectionRules ejection;
    // How many calls may be under way at each server, found out while they work; nullopt: no limit of theirs.
    std::optional<AdmissionRules> admission;
    std::chrono::milliseconds gauges_every{500};  // while calls are under way
};

struct ServerCall {
    std::string path;  // "/chat/completions"
    enum class Below : std::uint8_t { url, origin } below = Below::url;
    http::Headers headers;     // what goes beside Content-Type, Accept and the key
    std::string body;          // JSON
    std::uint64_t prefix = 0;  // as in Job
};

// The model servers behind one model, each with its kept connections.
//
// A call goes to one of them, as server_roster.h chooses, and is not repeated. No connection, a cut answer,
// none in time, and 5xx but for 503 and 529 count as broken; 429, 503 and 529 let the server rest for its
// Retry-After, at most a minute. Of several servers, one that is ejected or that nothing was heard of for
// long is asked now and then whether it answers: GET {url}/models, or /health at its origin where that is not
// found; any answer below 500 is good. Of one server that is done only while it is ejected.
//
// With admission rules each server has a window (admission.h), fed by how calls end and, while any are under
// way, by GET /metrics at its origin.
//
// Belongs to one executor; any number of calls may be under way, and none when it is stopped or destroyed.
class Servers {
public:
    // invalid: no URL, or one that is none, with the sentence that says so.
    static Result<std::unique_ptr<Servers>> make(async::Executor executor, ServersOptions options);
    ~Servers();

    // As http::Client has them. Canceling the caller throws, whatever came of the call.
    async::Task<Result<http::ClientResponse>> send(ServerCall call);
    async::Task<Result<http::ClientResponse>> send_streaming(ServerCall call, http::Client::Sink sink);

    // The only server has moved to another URL, where it answers. Calls under way stay with the old one.
    void move(const std::string& url);

    // As Backend has them.
    std::optional<std::uint32_t> window() const;
    void on_wider_window(std::function<void()> told) { on_wider_window_ = std::move(told); }
    bool is_out() const { return roster_.are_all_ejected(); }
    async::Task<void> ready_for(Backend::Try attempt);
    std::size_t count() const;
    std::optional<std::size_t> home_of(std::uint64_t prefix) const;
    void settle(std::uint64_t prefix, std::size_t server) { roster_.set_home(prefix, server); }

    // What an answer without a good status means (refusal.h). Nobody need wait for a server that asked for it
    // while another takes work.
    core::Outcome outcome_of(const http::ClientResponse& response) const;
    core::Outcome outcome_of(const Error& error) const;

    // Ends the probes. Must come before the end if a call was made while the executor runs on.
    async::Task<void> stop();

    const ServersOptions& options() const { return options_; }

private:
    struct Server;
    class Visit;

    Servers(async::Executor executor, ServersOptions options, std::vector<Server> servers);
    static Result<Server> make_server(async::Executor executor, const std::string& url);
    async::Task<Result<http::ClientResponse>> exchange(ServerCall call, const http::Client::Sink* sink);
    http::ClientRequest request(const Server& server, ServerCall call, bool is_streamed) const;
    void judge(std::size_t server, const Result<http::ClientResponse>& response);
    void note_window(std::size_t server);
    async::Task<void> read_gauges(std::size_t server);
    void start_looking_after();
    void tell(std::size_t server, ServerRoster::Change change, std::string_view reason);
    void tell_refused_key(Server& server, int status);
    async::Task<void> look_after();
    SteadyTime probe_due(std::size_t server) const;
    async::Task<void> probe(std::size_t server);

    async::Executor executor_;
    ServersOptions options_;
    std::vector<Server> servers_;
    ServerRoster roster_;
    async::Bell ejected_;
    async::Bell returned_;
    RetryBudget retries_;
    std::function<void()> on_wider_window_;
    std::uint32_t last_window_ = 0;
    async::TaskGroup tasks_;
    bool is_looked_after_ = false;
    bool is_stopped_ = false;
};

}  // namespace sheaf::backend
