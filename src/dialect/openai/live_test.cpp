#include <gtest/gtest.h>

#include "dialect/event_call.h"
#include "dialect/openai/testing_world.h"

namespace sheaf::dialect::openai {
namespace {

constexpr std::string_view kChat = R"({"model":"local","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kStreamed =
    R"({"model":"local","messages":[{"role":"user","content":"hi"}],"stream":true})";

class OpenAiLive : public OpenAiWorld {
protected:
    OpenAiLive() { live.ending = core::Succeeded{{.reply = R"({"object":"chat.completion"})"}}; }
};

TEST_F(OpenAiLive, AnswersWithTheReplyAsItIs) {
    const Answered answered = post("/chat/completions", std::string(kChat));
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.body, R"({"object":"chat.completion"})");
    EXPECT_EQ(answered.headers.find("Content-Type"), "application/json");
    ASSERT_EQ(live.asked.size(), 1U);
    const auto& request = std::get<core::ModelRequest>(live.asked.front());
    EXPECT_EQ(request.protocol, core::Protocol::chat_completions);
    EXPECT_EQ(request.model, "local");
    EXPECT_EQ(request.body, kChat);
}

TEST_F(OpenAiLive, TakesResponsesAndEmbeddings) {
    EXPECT_EQ(post("/responses", R"({"model":"local","input":"hi"})").status, 200);
    EXPECT_EQ(post("/embeddings", R"({"model":"local","input":["a"],"stream":true})").status, 200);
    EXPECT_EQ(std::get<core::ModelRequest>(live.asked[0]).protocol, core::Protocol::responses);
    EXPECT_EQ(std::get<core::ModelRequest>(live.asked[1]).protocol, core::Protocol::embeddings);
}

TEST_F(OpenAiLive, SendsEventsAsTheyCome) {
    live.pieces = {"data: {\"n\":1}\n\n", "data: {\"n\":2}\n\n", "data: [DONE]\n\n"};
    live.pause = 2ms;
    const Answered answered = post("/chat/completions", std::string(kStreamed));
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.headers.find("Content-Type"), "text/event-stream");
    EXPECT_TRUE(answered.headers.find("x-request-id"));
    EXPECT_EQ(answered.body, "data: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: [DONE]\n\n");
    EXPECT_FALSE(answered.was_cut);
}

TEST_F(OpenAiLive, TellsAFailureBeforeTheFirstEventByItsStatus) {
    live.ending = core::Failed{{.code = "invalid_request",
                                .message = "too long",
                                .status = 400,
                                .error = R"({"message":"too long","code":"context_length_exceeded"})"}};
    for (const std::string_view body : {kChat, kStreamed}) {
        const Answered answered = post("/chat/completions", std::string(body));
        EXPECT_EQ(answered.status, 400);
        EXPECT_EQ(text_at(answered.body, "/error/code"), "context_length_exceeded");
        EXPECT_EQ(text_at(answered.body, "/error/param"), "null");
    }
    live.ending = core::Failed{{.code = "overloaded", .message = "full"}};
    EXPECT_EQ(post("/chat/completions", std::string(kChat)).status, 503);
    EXPECT_TRUE(post("/chat/completions", std::string(kChat)).headers.find("Retry-After"));
    live.ending = core::Failed{{.code = "timed_out", .message = "slow"}};
    EXPECT_EQ(post("/chat/completions", std::string(kChat)).status, 504);
    live.ending = core::Failed{{.code = "analysis_failed", .message = "broken"}};
    EXPECT_EQ(post("/chat/completions", std::string(kChat)).status, 500);
    live.ending = core::Canceled{};
    EXPECT_EQ(post("/chat/completions", std::string(kChat)).status, 503);
}

TEST_F(OpenAiLive, TellsAFailureUnderWayAsAnEvent) {
    live.pieces = {"data: {\"n\":1}\n\n"};
    live.ending = core::Failed{{.code = "analysis_failed", .message = "broken"}};
    EXPECT_EQ(post("/chat/completions", std::string(kStreamed)).body,
              "data: {\"n\":1}\n\n"
              R"(data: {"error":{"message":"broken","type":"server_error","param":null,"code":null}})"
              "\n\n");
}

TEST_F(OpenAiLive, DropsTheCallOfAClientThatGoesAway) {
    live.pieces = {"data: {\"n\":1}\n\n"};
    live.held = true;
    const Answered answered = call(
        {.method = "POST", .target = "/chat/completions", .body = std::string(kStreamed), .gone_after = 1});
    EXPECT_TRUE(answered.was_cut);
    turn_until([&] { return live.running == 0; });
}

TEST_F(OpenAiLive, IsAskedOnlyWhatCanBeAnswered) {
    const auto refused = [&](std::string target, std::string body) {
        const Answered answered = post(std::move(target), std::move(body));
        return fmt::format("{} {} {}", answered.status, text_at(answered.body, "/error/param"),
                           text_at(answered.body, "/error/code"));
    };
    EXPECT_EQ(refused("/chat/completions", R"({"messages":[]})"), "400 model missing_required_parameter");
    EXPECT_EQ(refused("/chat/completions", R"({"model":7})"), "400 model invalid_type");
    EXPECT_EQ(refused("/chat/completions", R"({"model":"local"})"),
              "400 messages missing_required_parameter");
    EXPECT_EQ(refused("/chat/completions", R"({"model":"local","messages":[{"content":""}]})"),
              "400 messages[0].role null");
    EXPECT_EQ(refused("/chat/completions", R"({"model":"gpt-9","messages":[{"role":"user","content":"x"}]})"),
              "404 model model_not_found");
    EXPECT_EQ(refused("/responses", R"({"model":"local"})"), "400 input missing_required_parameter");
    EXPECT_EQ(refused("/responses", R"({"model":"local","input":"x","stream":"yes"})"),
              "400 stream invalid_type");
    EXPECT_EQ(refused("/embeddings", "[]"), "400 null null");
    EXPECT_EQ(refused("/embeddings", "{"), "400 null null");
    EXPECT_TRUE(live.asked.empty());
}

class EventCalls : public OpenAiWorld {
protected:
    // The whole answer of a call with such times, written to a client that stays.
    std::string written(bool streamed, CallTimes times) {
        async::TaskGroup leaving(io.get_executor());
        std::string text;
        {
            auto call =
                std::make_shared<LiveCall>(io.get_executor(), leaving, live, kTeam, core::ModelRequest{},
                                           streamed ? LiveCall::Text::streamed : LiveCall::Text::none);
            const CallForm form{.keep_alive = ": still here\n\n",
                                .refusal = [](const core::Ending&) { return http::Response{.status = 599}; },
                                .failed_event = [](const core::Ending&) { return "data: failed\n\n"; }};
            const http::Response response =
                run(streamed ? answer_with_events(call, form, times) : answer_with_reply(call, form, times));
            if (const auto* const whole = std::get_if<std::string>(&response.body)) {
                text = *whole;
            } else {
                TextWriter writer;
                live.held = false;
                if (!run(std::get<http::StreamBody>(response.body)(writer))) writer.text += "(cut)";
                text = writer.text;
            }
        }
        run(leaving.wait_until_empty());
        return text;
    }
};

TEST_F(EventCalls, BeginASlowReplyWithBlanks) {
    live.held = true;
    live.ending = core::Succeeded{{.reply = "{}"}};
    EXPECT_EQ(written(false, {.patience = 1ms, .look_every = 1ms}), " {}");
    live.held = true;
    live.ending = core::Failed{{.code = "timed_out"}};
    EXPECT_EQ(written(false, {.patience = 1ms, .look_every = 1ms}), " (cut)");
}

TEST_F(EventCalls, SayThatTheyAreAliveWhileNothingComes) {
    live.held = true;
    live.ending = core::Failed{{.code = "timed_out"}};
    const std::string text = written(true, {.first_event = 1ms, .keep_alive = 0ms, .look_every = 1ms});
    EXPECT_TRUE(text.starts_with(": still here\n\n")) << text;
    EXPECT_TRUE(text.ends_with("data: failed\n\n")) << text;
}

}  // namespace
}  // namespace sheaf::dialect::openai
