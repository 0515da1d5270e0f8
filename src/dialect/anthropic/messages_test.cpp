#include <gtest/gtest.h>

#include "dialect/anthropic/gate.h"
#include "dialect/anthropic/live_routes.h"
#include "dialect/anthropic/message_request.h"
#include "dialect/anthropic/testing_world.h"

namespace sheaf::dialect::anthropic {
namespace {

constexpr std::string_view kStart = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n";
constexpr std::string_view kDelta = "event: content_block_delta\ndata: {\"text\":\"\xc3\xa9\"}\n\n";
constexpr std::string_view kStop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
constexpr std::string_view kPing = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

class LiveMessages : public AnthropicWorld {
protected:
    static std::string body_of(const std::string& more) {
        return R"({"model":"local","max_tokens":16,"messages":[{"role":"user","content":"Hi"}])" + more + "}";
    }
    Answered ask(const std::string& more, int gone_after = -1) {
        return call({.method = "POST",
                     .target = "/v1/messages",
                     .body = body_of(more),
                     .piece = 1 << 16,
                     .gone_after = gone_after});
    }
    Answered stream(int gone_after = -1) { return ask(R"(,"stream":true)", gone_after); }
    std::string status_of(core::Failure failure) {
        live.ending = core::Failed{std::move(failure)};
        const Answered answered = ask("");
        return std::to_string(answered.status) + " " + at(answered, "/error/type");
    }
    // Routes that do not keep quiet for long.
    void hurry() {
        routes.emplace(
            io.get_executor(),
            LiveRoutes::Parts{
                &live, false, {.patience = 20ms, .first_event = 5ms, .keep_alive = 5ms, .look_every = 1ms}});
        router.emplace();
        routes->add_to(*router, gate);
    }
    void release_later() {
        later.expires_after(300ms);
        later.async_wait([this](const boost::system::error_code&) { live.held = false; });
    }

    Gate gate{{&*accounts, [this] { return clock.now(); }, 0}};
    std::optional<LiveRoutes> routes;
    boost::asio::steady_timer later{io};
};

TEST_F(LiveMessages, AreAnsweredAsTheModelDid) {
    const Answered answered = ask("");
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.body, kReply);
    ASSERT_EQ(live.asked.size(), 1U);
    const auto& asked = std::get<core::ModelRequest>(live.asked[0]);
    EXPECT_EQ(asked.protocol, core::Protocol::messages);
    EXPECT_EQ(asked.model, "local");
    EXPECT_EQ(asked.body, body_of(""));
    EXPECT_FALSE(asked.counts_tokens);
}

TEST_F(LiveMessages, CountTokensOfTheSameInput) {
    live.ending = core::Succeeded{{.reply = R"({"input_tokens":9})"}};
    const Answered answered =
        post("/v1/messages/count_tokens", R"({"model":"local","messages":[{"role":"user","content":"Hi"}]})");
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.body, R"({"input_tokens":9})");
    EXPECT_TRUE(std::get<core::ModelRequest>(live.asked.at(0)).counts_tokens);
}

TEST_F(LiveMessages, StreamTheEventsAsTheyCome) {
    live.pieces = {std::string(kStart), std::string(kDelta), std::string(kStop)};
    live.pause = 2ms;
    const Answered answered = stream();
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.headers.find("content-type"), "text/event-stream");
    EXPECT_EQ(answered.body, std::string(kStart) + std::string(kDelta) + std::string(kStop));
    EXPECT_FALSE(answered.was_cut);
}

TEST_F(LiveMessages, EndAStreamThatFailsWithAnErrorEvent) {
    live.pieces = {std::string(kStart)};
    live.pause = 2ms;
    live.ending = core::Failed{{.code = "overloaded", .message = "Overloaded"}};
    const Answered answered = stream();
    EXPECT_EQ(answered.status, 200);
    EXPECT_FALSE(answered.was_cut);
    const std::string id(answered.headers.find("request-id").value_or(""));
    EXPECT_EQ(
        answered.body,
        std::string(kStart) +
            "event: error\ndata: "
            R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":")" +
            id + "\"}\n\n");
}

TEST_F(LiveMessages, TellAFailureByStatusWhenNothingWasSent) {
    EXPECT_EQ(status_of({.code = "invalid_request", .message = "no", .field = "messages.0"}),
              "400 invalid_request_error");
    EXPECT_EQ(status_of({.code = "model_not_found"}), "404 not_found_error");
    EXPECT_EQ(status_of({.code = "overloaded"}), "529 overloaded_error");
    EXPECT_EQ(status_of({.code = "timed_out"}), "504 timeout_error");
    EXPECT_EQ(status_of({.code = "analysis_failed"}), "500 api_error");
    EXPECT_EQ(status_of({.code = "analysis_failed", .status = 401}), "500 api_error");
    live.ending = core::Failed{{.code = "overloaded", .message = "Overloaded"}};
    EXPECT_EQ(stream().status, 529);
    live.ending = core::Canceled{};
    const Answered stopped = ask("");
    EXPECT_EQ(stopped.status, 503);
    EXPECT_EQ(stopped.headers.find("retry-after"), "5");
}

TEST_F(LiveMessages, KeepAQuietStreamAliveWithPings) {
    hurry();
    live.held = true;
    release_later();
    const Answered answered = stream();
    EXPECT_EQ(answered.status, 200);
    EXPECT_TRUE(answered.body.starts_with(kPing)) << answered.body;
    live.held = true;
    live.ending = core::Failed{{.code = "timed_out", .message = "Too late."}};
    release_later();
    const Answered failed = stream();
    EXPECT_EQ(failed.status, 200);
    EXPECT_NE(failed.body.find("timeout_error"), std::string::npos);
    run(routes->stop());
}

TEST_F(LiveMessages, KeepASlowClientWaitingWithBlanks) {
    hurry();
    live.held = true;
    release_later();
    const Answered answered = ask("");
    EXPECT_EQ(answered.status, 200);
    EXPECT_TRUE(answered.body.starts_with("  "));
    EXPECT_TRUE(answered.body.ends_with(kReply));
    live.held = true;
    live.ending = core::Failed{{.code = "timed_out", .message = "Too late."}};
    release_later();
    EXPECT_TRUE(ask("").was_cut);
    run(routes->stop());
}

TEST_F(LiveMessages, StopTheWorkWhenTheClientGoesAway) {
    live.pieces = {std::string(kStart)};
    live.held = true;
    EXPECT_TRUE(stream(1).was_cut);
    turn_until([&] { return live.running == 0; });
    EXPECT_TRUE(live.held);
}

TEST_F(LiveMessages, StoppingWaitsForWhatAClientLeftBehind) {
    live.pieces = {std::string(kStart)};
    live.held = true;
    stream(1);
    run(dialect->stop());
    EXPECT_EQ(live.running, 0);
}

TEST_F(LiveMessages, RefuseSamplingUnderTheNewerVersionWhereTheOperatorSaysSo) {
    refuses_sampling = true;
    build();
    http::Headers newer;
    newer.add("anthropic-version", "2026-10-21");
    const Answered refused = call({.method = "POST",
                                   .target = "/v1/messages",
                                   .body = body_of(R"(,"temperature":1)"),
                                   .headers = newer});
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(at(refused, "/error/message"), "temperature: Extra inputs are not permitted");
    EXPECT_EQ(ask(R"(,"temperature":1)").status, 200);
}

TEST_F(LiveMessages, AreLimitedTo32Megabytes) {
    std::string filler = body_of("");
    filler += std::string(kMessageBytesMax - filler.size(), ' ');
    const auto send = [this](std::string body) {
        return call({.method = "POST", .target = "/v1/messages", .body = std::move(body), .piece = 1 << 20});
    };
    EXPECT_EQ(send(filler).status, 200);
    const Answered refused = send(filler + " ");
    EXPECT_EQ(refused.status, 413);
    EXPECT_EQ(at(refused, "/error/type"), "request_too_large");
}

}  // namespace
}  // namespace sheaf::dialect::anthropic
