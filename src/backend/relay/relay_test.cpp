#include <chrono>
#include <set>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "backend/backend_conformance.h"
#include "backend/backends.h"
#include "backend/json_text.h"
#include "backend/model_stand_in_test.h"
#include "http/client.h"
#include "http/running_server.h"
#include "protocol/translation.h"

namespace sheaf::backend {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using core::Protocol;
using enum core::Protocol;

constexpr std::array kConversations{chat_completions, messages, responses};
constexpr std::string_view kSchema =
    R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false})";

std::string quoted(std::string_view text) {
    return json_text(json::value(text));
}

// A request of the protocol that says `words`, after a system prompt; `more` are further members.
std::string body_of(Protocol protocol, std::string_view words, std::string_view more = "") {
    const auto said = quoted(words);
    switch (protocol) {
        case chat_completions:
            return fmt::format(
                R"({{"model":"m","messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":{}}}]{}}})",
                said, more);
        case messages:
            return fmt::format(
                R"({{"model":"m","max_tokens":64,"system":"Be brief.","messages":[{{"role":"user","content":{}}}]{}}})",
                said, more);
        case responses:
            return fmt::format(R"({{"model":"m","instructions":"Be brief.","input":{}{}}})", said, more);
        case embeddings:
            return fmt::format(R"({{"model":"m","input":{}{}}})", said, more);
    }
    return "";
}

// Members that make the model call the tool "weather".
std::string_view forced_tool(Protocol protocol) {
    switch (protocol) {
        case chat_completions:
            return R"(,"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"required")";
        case messages:
            return R"(,"tools":[{"name":"weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}],"tool_choice":{"type":"tool","name":"weather"})";
        case responses:
            return R"(,"tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}],"tool_choice":{"type":"function","name":"weather"})";
        case embeddings:
            break;
    }
    return "";
}

Job a_job(Protocol protocol, std::string body) {
    Job job;
    job.inference = core::ModelRequest{.protocol = protocol, .model = "m", .body = std::move(body)};
    return job;
}

// What the answer says, by the shape of its protocol; of a call its name and arguments.
std::string said_in(Protocol protocol, const json::value& answer) {
    const auto text = [&](const char* pointer) {
        boost::system::error_code error;
        const auto* found = answer.find_pointer(pointer, error);
        return found == nullptr     ? std::string("nothing")
               : found->is_string() ? std::string(found->get_string().c_str())
                                    : json_text(*found);
    };
    const auto has = [&](const char* pointer) {
        return text(pointer) != "nothing" && text(pointer) != "null";
    };
    switch (protocol) {
        case chat_completions:
            EXPECT_EQ(text("/object"), "chat.completion");
            return has("/choices/0/message/tool_calls")
                       ? text("/choices/0/message/tool_calls/0/function/name") +
                             text("/choices/0/message/tool_calls/0/function/arguments")
                       : text("/choices/0/message/content");
        case messages:
            EXPECT_EQ(text("/type"), "message");
            return text("/content/0/type") == "tool_use" ? text("/content/0/name") + text("/content/0/input")
                                                         : text("/content/0/text");
        case responses:
            EXPECT_EQ(text("/object"), "response");
            return text("/output/0/type") == "function_call"
                       ? text("/output/0/name") + text("/output/0/arguments")
                       : text("/output/0/content/0/text");
        case embeddings:
            EXPECT_EQ(text("/object"), "list");
            return text("/data");
    }
    return "";
}

class RelayTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_FALSE(shared_stand_in().origin().empty())
            << "build model_stand_in, or name it in SHEAF_MODEL_STAND_IN";
    }

    void TearDown() override { stop(); }

    void stop() {
        if (backend_ == nullptr) return;
        boost::asio::co_spawn(context_, backend_->stop(), [this](std::exception_ptr) { context_.stop(); });
        context_.restart();
        context_.run_for(10s);
        backend_.reset();
    }

    // A backend on the shared stand-in, unless the options say otherwise.
    void use(std::vector<Protocol> spoken, RelayOptions options = {}) {
        if (options.urls.empty() && !options.managed) options.urls = {shared_stand_in().url()};
        options.model = "stand-in";
        options.protocols = std::move(spoken);
        auto made = make_relay_backend(context_.get_executor(), std::move(options));
        ASSERT_TRUE(made) << made.error().message;
        stop();
        backend_ = *std::move(made);
    }

    core::Outcome run(Job job) {
        core::Outcome result = core::Broken{{"none", "no outcome"}};
        boost::asio::co_spawn(context_, backend_->run(std::move(job)),
                              [&](std::exception_ptr fault, core::Outcome outcome) {
                                  if (!fault) result = std::move(outcome);
                                  context_.stop();
                              });
        context_.restart();
        context_.run_for(30s);
        return result;
    }

    // The kind, code and status of the outcome, or what the answer says.
    static std::string told(const core::Outcome& outcome, Protocol protocol) {
        if (const auto* answer = std::get_if<core::Answer>(&outcome)) {
            const auto reply = parse_json(answer->reply);
            return reply ? said_in(protocol, *reply) : "no JSON: " + answer->reply;
        }
        if (const auto* refused = std::get_if<core::Refused>(&outcome))
            return fmt::format("refused {} {}", refused->failure.code, refused->failure.status);
        if (const auto* broken = std::get_if<core::Broken>(&outcome))
            return fmt::format("broken {} {}", broken->failure.code, broken->failure.status);
        const auto& overloaded = std::get<core::Overloaded>(outcome);
        return fmt::format("overloaded {} {}", overloaded.status,
                           overloaded.retry_after.value_or(0ms).count());
    }
    std::string ask(Protocol protocol, std::string_view words, std::string_view more = "") {
        return told(run(a_job(protocol, body_of(protocol, words, more))), protocol);
    }
    core::Failure failure_of(Job job) {
        const auto outcome = run(std::move(job));
        if (const auto* refused = std::get_if<core::Refused>(&outcome)) return refused->failure;
        if (const auto* broken = std::get_if<core::Broken>(&outcome)) return broken->failure;
        ADD_FAILURE() << "it did not fail";
        return {};
    }

    json::object last_entry() {
        auto client = http::Client::make(context_.get_executor(), shared_stand_in().origin(), {});
        EXPECT_TRUE(client);
        http::ClientRequest request;
        request.method = "GET";
        request.target = "/stand-in/ledger";
        std::string body;
        boost::asio::co_spawn(context_, (*client)->send(std::move(request)),
                              [&](std::exception_ptr, Result<http::ClientResponse> response) {
                                  if (response) body = response->body;
                                  context_.stop();
                              });
        context_.restart();
        context_.run_for(10s);
        return parse_json(body)->at("entries").as_array().back().as_object();
    }
    std::string last(const char* member) { return std::string(last_entry().at(member).as_string().c_str()); }

    boost::asio::io_context context_{1};
    std::unique_ptr<Backend> backend_;
};

TEST_F(RelayTest, ARequestInTheServersProtocolGoesThroughUntouchedButForTheModel) {
    use({chat_completions, messages, responses, embeddings});
    const auto sent = [&](Protocol protocol, std::string body) {
        const auto outcome = run(a_job(protocol, std::move(body)));
        EXPECT_TRUE(std::holds_alternative<core::Answer>(outcome)) << told(outcome, protocol);
        return last("path") + " " + last("body");
    };
    EXPECT_EQ(
        sent(
            chat_completions,
            R"({ "messages" : [{"role":"user","content":"h\u00e9 \/"}], "temperature":1.50,"model" : "m" })"),
        R"(/v1/chat/completions { "messages" : [{"role":"user","content":"h\u00e9 \/"}], "temperature":1.50,"model" : "stand-in" })");
    EXPECT_EQ(
        sent(
            messages,
            R"({"model":"m","max_tokens":5,"messages":[{"content":[{"text":"a","type":"text"}],"role":"user"}]})"),
        R"(/v1/messages {"model":"stand-in","max_tokens":5,"messages":[{"content":[{"text":"a","type":"text"}],"role":"user"}]})");
    EXPECT_EQ(sent(responses, R"({"input":"a","model":"m","store":false})"),
              R"(/v1/responses {"input":"a","model":"stand-in","store":false})");
    EXPECT_EQ(sent(embeddings, R"({"input":["a",  "b"],"model":"m"})"),
              R"(/v1/embeddings {"input":["a",  "b"],"model":"stand-in"})");
}

TEST_F(RelayTest, EveryProtocolIsAnsweredInItsOwnByEveryServer) {
    for (const auto spoken : kConversations) {
        use({spoken});
        for (const auto asked : kConversations) {
            const auto outcome = run(a_job(asked, body_of(asked, "stand-in: say text=one two three")));
            EXPECT_EQ(told(outcome, asked), "one two three")
                << to_string(asked) << " on " << to_string(spoken);
            ASSERT_TRUE(std::holds_alternative<core::Answer>(outcome));
            const auto& answer = std::get<core::Answer>(outcome);
            EXPECT_GT(answer.usage.input_tokens, 0U);
            EXPECT_GT(answer.usage.output_tokens, 0U);
            EXPECT_EQ(parse_json(answer.reply)->at("model").as_string(), "m") << "clients know no other name";
            EXPECT_EQ(answer.reply.find('\n'), std::string::npos);
            EXPECT_EQ(last("violation"), "");
        }
    }
}

TEST_F(RelayTest, ToolsAreCalledAndTheirResultsHeardInEveryProtocol) {
    for (const auto spoken : kConversations) {
        use({spoken});
        for (const auto asked : kConversations) {
            EXPECT_EQ(ask(asked, "Is it raining?", forced_tool(asked)), R"(weather{"city":""})")
                << to_string(asked) << " on " << to_string(spoken);
            EXPECT_EQ(last("violation"), "");
        }
        const auto result = run(a_job(
            messages,
            R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Rain?"},)"
            R"({"role":"assistant","content":[{"type":"tool_use","id":"toolu_9","name":"weather","input":{"city":"x"}}]},)"
            R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_9","content":"no"}]}],)"
            R"("tools":[{"name":"weather","input_schema":{"type":"object"}}]})"));
        EXPECT_EQ(told(result, messages), "The stand-in saw 0 pictures.") << to_string(spoken);
        EXPECT_EQ(last("violation"), "");
    }
}

TEST_F(RelayTest, AFormOfTheAnswerReachesTheServer) {
    const auto chat = fmt::format(
        R"(,"response_format":{{"type":"json_schema","json_schema":{{"name":"place","strict":true,"schema":{}}}}})",
        kSchema);
    const auto response = fmt::format(
        R"(,"text":{{"format":{{"type":"json_schema","name":"place","strict":true,"schema":{}}}}})", kSchema);
    for (const auto spoken : {chat_completions, responses}) {
        use({spoken});
        EXPECT_EQ(ask(chat_completions, "Where?", chat), R"({"city":""})") << to_string(spoken);
        EXPECT_EQ(ask(responses, "Where?", response), R"({"city":""})") << to_string(spoken);
        EXPECT_EQ(last("violation"), "");
    }
}

// What a client of the protocol makes of the events it was sent.
std::string heard_as_whole(Protocol protocol, const std::string& body, std::string_view events) {
    const auto client = protocol::make_stream_translator(protocol, protocol, body, "m");
    if (const auto fed = client->feed(events); !fed) return "malformed: " + fed.error().message;
    const auto end = client->finish();
    return end ? end->reply.body : "unfinished: " + end.error().message;
}

TEST_F(RelayTest, StreamsAnswerTheSameInPieces) {
    for (const auto spoken : kConversations) {
        use({spoken});
        for (const auto asked : kConversations) {
            for (const std::string_view words :
                 {"stand-in: say text=one two three", "stand-in: slow-drip", "stand-in: whole"}) {
                const auto body = body_of(asked, words);
                auto job = a_job(asked, body);
                std::string heard;
                job.on_text = [&](std::string_view events) { heard += events; };
                const auto outcome = run(std::move(job));
                const auto where = fmt::format("{} on {}: {}", to_string(asked), to_string(spoken), words);
                ASSERT_TRUE(std::holds_alternative<core::Answer>(outcome)) << where << told(outcome, asked);
                EXPECT_EQ(told(outcome, asked),
                          words.contains("say") ? "one two three" : "The stand-in saw 0 pictures.");
                const auto whole = parse_json(heard_as_whole(asked, body, heard));
                ASSERT_TRUE(whole) << where << heard;
                EXPECT_EQ(said_in(asked, *whole), told(outcome, asked)) << where;
                EXPECT_GT(std::get<core::Answer>(outcome).usage.output_tokens, 0U) << where;
                EXPECT_EQ(last("violation"), "");
            }
        }
    }
}

TEST_F(RelayTest, ServerFaultsAreSortedInEveryProtocol) {
    const std::vector<std::pair<std::string, std::string>> faults{
        {"400", "refused invalid_request 400"},
        {"413", "refused invalid_request 413"},
        {"422", "refused invalid_request 422"},
        {"404 text=no such path", "refused invalid_request 404"},
        {"404 text=the model is unknown", "refused model_not_found 404"},
        {"context", "refused invalid_request 400"},
        {"401", "broken analysis_failed 0"},
        {"403", "broken analysis_failed 0"},
        {"408", "overloaded 408 0"},
        {"425", "overloaded 425 0"},
        {"429 retry-after=2", "overloaded 429 2000"},
        {"503", "overloaded 503 0"},
        {"529", "overloaded 529 0"},
        {"409", "broken analysis_failed 409"},
        {"500", "broken analysis_failed 500"},
        {"502", "broken analysis_failed 502"},
        {"half", "broken analysis_failed 0"},
        {"garbage", "broken analysis_failed 0"},
        {"html", "broken analysis_failed 0"},
        {"error-200", "broken analysis_failed 0"},
    };
    for (const auto protocol : {chat_completions, messages, responses, embeddings}) {
        use({protocol});
        for (const auto& [fault, outcome] : faults)
            EXPECT_EQ(ask(protocol, "stand-in: " + fault), outcome) << to_string(protocol) << " " << fault;
        if (protocol == embeddings) continue;
        for (const auto& [fault, outcome] : faults) {
            auto job = a_job(protocol, body_of(protocol, "stand-in: " + fault));
            job.on_text = [](std::string_view) {};
            EXPECT_EQ(told(run(std::move(job)), protocol), outcome)
                << "streamed " << to_string(protocol) << " " << fault;
        }
    }
}

TEST_F(RelayTest, WhatTheServerSaidIsKept) {
    use({chat_completions});
    const auto failure =
        failure_of(a_job(chat_completions, body_of(chat_completions, "stand-in: 400 text=Too long.")));
    EXPECT_EQ(failure.message, "Too long.");
    EXPECT_EQ(failure.error,
              R"({"message":"Too long.","type":"invalid_request_error","param":"","code":"told"})");
}

TEST_F(RelayTest, ThePathOfAFaultIsToldInTheClientsProtocolOnly) {
    // Nothing wrong is sent to the shared one.
    const ModelStandIn stand_in;
    use({chat_completions}, {.urls = {stand_in.url()}});
    auto own = failure_of(a_job(chat_completions, body_of(chat_completions, "hi", R"(,"temperature":3)")));
    EXPECT_EQ(own.field, "temperature");
    auto translated = failure_of(a_job(responses, body_of(responses, "hi", R"(,"temperature":3)")));
    EXPECT_EQ(translated.code, "invalid_request");
    EXPECT_EQ(translated.field, "");
}

TEST_F(RelayTest, WhatCannotBeSaidInTheServersProtocolIsRefusedWithItsPath) {
    use({chat_completions});
    const auto failure = failure_of(a_job(
        messages,
        R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":[{"type":"web_search_20250305","name":"web_search"}]})"));
    EXPECT_EQ(failure.code, "invalid_request");
    EXPECT_TRUE(failure.field.starts_with("tools")) << failure.field;
    EXPECT_NE(failure.message, "");
    EXPECT_EQ(failure.status, 0) << "no server was asked";
}

TEST_F(RelayTest, AStreamThatBreaksOffIsNoAnswer) {
    for (const auto spoken : kConversations) {
        use({spoken});
        for (const std::string_view fault : {"half", "half-stream", "error-stream"}) {
            auto job = a_job(messages, body_of(messages, fmt::format("stand-in: {}", fault)));
            std::string heard;
            job.on_text = [&](std::string_view events) { heard += events; };
            const auto failure = failure_of(std::move(job));
            EXPECT_EQ(failure.code, "analysis_failed") << to_string(spoken) << " " << fault;
            if (fault == "error-stream")
                EXPECT_NE(failure.message.find("out of memory"), std::string::npos);
            else
                EXPECT_NE(heard, "") << "the first word came";
        }
    }
}

TEST_F(RelayTest, AServerThatHangsTimesOut) {
    use({messages}, {.answer_time = 300ms});
    EXPECT_EQ(ask(messages, "stand-in: hang"), "broken timed_out 0");
}

TEST_F(RelayTest, TheKeyIsSentAndNeverShown) {
    const ModelStandIn strict({"--key", "sk-right"});
    for (const auto protocol : {chat_completions, messages, responses, embeddings}) {
        use({protocol}, {.urls = {strict.url()}, .key = Secret("sk-right")});
        EXPECT_EQ(ask(protocol, "hi").find("broken"), std::string::npos) << to_string(protocol);
        const auto echoed = failure_of(a_job(protocol, body_of(protocol, "stand-in: echo-key")));
        EXPECT_EQ(echoed.message, "the model server answered 500: the key Bearer *** is odd");
        EXPECT_EQ(echoed.error.find("sk-right"), std::string::npos) << echoed.error;
        use({protocol}, {.urls = {strict.url()}, .key = Secret("sk-wrong")});
        const auto denied = failure_of(a_job(protocol, body_of(protocol, "hi")));
        EXPECT_TRUE(denied.message.starts_with("the model server refused our key (401)")) << denied.message;
        EXPECT_EQ(denied.error, "");
    }
}

Job a_count(std::string words) {
    Job job;
    job.inference = core::ModelRequest{
        .protocol = messages,
        .model = "m",
        .body = fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"{}"}}]}})", words),
        .counts_tokens = true};
    return job;
}

TEST_F(RelayTest, TokensAreCountedByTheServerWhereItCan) {
    const auto count = [&] {
        const auto outcome = run(a_count("How long is this?"));
        return std::holds_alternative<core::Answer>(outcome) ? std::get<core::Answer>(outcome).reply
                                                             : told(outcome, messages);
    };
    use({messages});
    EXPECT_EQ(count(), R"({"input_tokens":41})");
    EXPECT_EQ(last("path"), "/v1/messages/count_tokens");
    use({chat_completions});
    EXPECT_EQ(count(), R"({"input_tokens":43})");
    EXPECT_EQ(last("path"), "/tokenize");
    EXPECT_EQ(last("violation"), "");
}

// A server that knows no path.
http::Router nothing(int status, std::string body) {
    http::Router router;
    const auto lost = [status, body](http::Request&) -> async::Task<http::Response> {
        http::Response response;
        response.status = status;
        response.body = body;
        co_return response;
    };
    router.add_fallbacks("/", {lost, lost});
    return router;
}

TEST_F(RelayTest, TokensAreEstimatedWhereNoServerCounts) {
    const http::RunningServer empty(nothing(404, R"({"detail":"Not Found"})"));
    const http::RunningServer other(nothing(400, R"({"error":"prompt is required"})"));
    for (const auto& origin : {empty.origin(), other.origin()}) {
        use({chat_completions}, {.urls = {origin + "/v1"}});
        const auto outcome = run(a_count(std::string(400, 'x')));
        ASSERT_TRUE(std::holds_alternative<core::Answer>(outcome)) << told(outcome, messages);
        const auto tokens =
            parse_json(std::get<core::Answer>(outcome).reply)->at("input_tokens").to_number<int>();
        EXPECT_GE(tokens, 100);
        EXPECT_LE(tokens, 120);
    }
    use({messages}, {.urls = {empty.origin() + "/v1"}});
    EXPECT_TRUE(std::holds_alternative<core::Answer>(run(a_count("hi"))));
}

TEST_F(RelayTest, CountingFailsAsAskingDoes) {
    const http::RunningServer unknown(nothing(404, R"({"error":{"message":"model 'm' not found"}})"));
    const http::RunningServer broken(nothing(500, ""));
    use({messages}, {.urls = {unknown.origin() + "/v1"}});
    EXPECT_EQ(told(run(a_count("hi")), messages), "refused model_not_found 404");
    use({messages}, {.urls = {broken.origin() + "/v1"}});
    EXPECT_EQ(told(run(a_count("hi")), messages), "broken analysis_failed 500");
}

TEST_F(RelayTest, EmbeddingsAreNeverTranslated) {
    use({embeddings});
    EXPECT_EQ(ask(embeddings, "four"), R"([{"object":"embedding","index":0,"embedding":[0,4]}])");
    EXPECT_EQ(failure_of(a_job(chat_completions, body_of(chat_completions, "hi"))).message,
              "The model \"m\" makes embeddings only.");
    use({chat_completions, messages, responses});
    const auto failure = failure_of(a_job(embeddings, body_of(embeddings, "four")));
    EXPECT_EQ(failure.message, "The model \"m\" makes no embeddings.");
    EXPECT_EQ(failure.code, "invalid_request");
}

TEST_F(RelayTest, VideosTakeChatCompletions) {
    use({messages, responses});
    Job job;
    core::VideoAnalysis analysis;
    analysis.model = "m";
    job.inference = std::move(analysis);
    EXPECT_EQ(
        failure_of(std::move(job)).message,
        "The model \"m\" analyses no videos: that takes Chat Completions, and the setting protocols of its "
        "[[model]] has no \"chat\".");
}

TEST_F(RelayTest, AnotherServerIsAskedWhenOneIsGone) {
    use({chat_completions}, {.urls = {"http://127.0.0.1:1/v1", shared_stand_in().url()}});
    int answers = 0;
    for (int i = 0; i < 12; ++i) answers += ask(chat_completions, "hi").starts_with("The stand-in") ? 1 : 0;
    EXPECT_GE(answers, 9) << "three broken attempts are enough";
}

TEST_F(RelayTest, AManagedServerIsStartedForTheFirstCall) {
    use({chat_completions},
        {.managed = ManagedOptions{.name = "m", .command = {model_stand_in_program(), "--port", "{port}"}}});
    EXPECT_EQ(ask(chat_completions, "hi"), "The stand-in saw 0 pictures.");
    EXPECT_EQ(ask(chat_completions, "again"), "The stand-in saw 0 pictures.");
}

TEST_F(RelayTest, ALiveCallIsToldThatAManagedServerDoesNotStart) {
    use({chat_completions},
        {.managed = ManagedOptions{.name = "m", .command = {"/no/such/program", "{port}"}}});
    auto job = a_job(chat_completions, body_of(chat_completions, "hi"));
    job.is_live = true;
    const auto failure = failure_of(std::move(job));
    EXPECT_EQ(failure.code, "overloaded") << "which clients see as 503";
    EXPECT_EQ(failure.message,
              "The server of the model \"m\" does not come up: its command cannot be started.");
}

TEST_F(RelayTest, UrlsThatAreNoneAreRefused) {
    for (const auto* url : {"", "localhost:8000", "http://h/v1?x=1", "http://user@h/v1"})
        EXPECT_FALSE(make_relay_backend(context_.get_executor(), {.urls = {url}, .model = "m"})) << url;
}

}  // namespace
}  // namespace sheaf::backend
