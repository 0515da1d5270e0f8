#include <gtest/gtest.h>

#include "dialect/sail/response_routes.h"
#include "dialect/sail/testing_world.h"
#include "jsonl/document.h"

namespace sheaf::dialect::sail {
namespace {

std::string text(const std::string& body, const std::string& pointer) {
    const auto document = jsonl::Document::parse(body);
    simdjson::dom::element found;
    if (!document || document->root().at_pointer(pointer).get(found)) return "(absent)";
    return simdjson::to_string(found);
}

class SailResponses : public SailWorld {
protected:
    SailResponses() { live.ending = said("Fine."); }
    Answered ask(const std::string& more, int gone_after = -1) {
        return call({.method = "POST",
                     .target = "/responses",
                     .body = R"({"model":"local","input":"x")" + more + "}",
                     .gone_after = gone_after});
    }
};

TEST_F(SailResponses, AnswerAtOnce) {
    const Answered answered = ask(R"(,"metadata":{"webhook_token":"t","a":"b"},"previous_response_id":null)");
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(text(answered.body, "/id"), R"("resp_5f")");
    EXPECT_EQ(text(answered.body, "/status"), R"("completed")");
    EXPECT_EQ(text(answered.body, "/created_at"), "1781776800");
    EXPECT_EQ(text(answered.body, "/output/0/content/0/text"), R"("Fine.")");
    EXPECT_EQ(text(answered.body, "/usage/input_tokens_details/reasoning_tokens"), "0");
    EXPECT_EQ(text(answered.body, "/metadata"), R"({"a":"b"})");
    EXPECT_EQ(text(answered.body, "/custom_id"), "(absent)");
    ASSERT_EQ(live.asked.size(), 1U);
    EXPECT_EQ(std::get<core::ModelRequest>(live.asked[0]).body.find("webhook_token"), std::string::npos);
}

TEST_F(SailResponses, StreamTheEventsAsTheyCome) {
    live.pieces = {"event: a\ndata: {}\n\n", "event: b\ndata: {}\n\n"};
    live.pause = 2ms;
    const Answered answered = ask(R"(,"stream":true)");
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.headers.find("Content-Type"), "text/event-stream");
    EXPECT_EQ(answered.body, "event: a\ndata: {}\n\nevent: b\ndata: {}\n\n");
    EXPECT_FALSE(answered.was_cut);
}

TEST_F(SailResponses, TellAFailureByStatusBeforeTheFirstEventAndAsAnEventAfterIt) {
    live.ending = core::Failed{{"timed_out", "Too slow."}};
    EXPECT_EQ(ask(R"(,"stream":true)").status, 504);
    live.pieces = {"event: a\ndata: {}\n\n"};
    const Answered begun = ask(R"(,"stream":true)");
    EXPECT_EQ(begun.status, 200);
    EXPECT_EQ(begun.body,
              "event: a\ndata: {}\n\nevent: error\ndata: "
              R"({"type":"error","code":"server_error","message":"Too slow.","param":null})"
              "\n\n");
}

TEST_F(SailResponses, TellFailuresByStatus) {
    const std::vector<std::pair<std::string, int>> statuses{
        {"invalid_request", 400}, {"model_not_found", 400}, {"overloaded", 503},
        {"timed_out", 504},       {"analysis_failed", 502}, {"internal_server_error", 500}};
    for (const auto& [word, status] : statuses) {
        live.ending = core::Failed{{word, "Why."}};
        const Answered answered = ask("");
        EXPECT_EQ(answered.status, status) << word;
        EXPECT_EQ(text(answered.body, "/error/message"), R"("Why.")");
        EXPECT_EQ(answered.headers.find("Retry-After").has_value(), status == 503) << word;
    }
    live.ending = core::Canceled{};
    EXPECT_EQ(ask("").status, 503);
}

TEST_F(SailResponses, RunInTheBackgroundLikeAnItemThatNoListShows) {
    const Answered accepted = ask(R"(,"background":true)");
    EXPECT_EQ(accepted.status, 202);
    EXPECT_EQ(text(accepted.body, "/status"), R"("queued")");
    EXPECT_TRUE(live.asked.empty());
    const std::string quoted = text(accepted.body, "/id");
    const std::string id = quoted.substr(1, quoted.size() - 2);
    EXPECT_EQ(get("/responses/" + id).body, accepted.body);
    EXPECT_EQ(get("/batches").body, "[]");
    const std::string batch = fmt::format("batch_{}0", id.substr(5, 23));
    EXPECT_EQ(get("/batches/" + batch).status, 404);
    work(batch, 1, said("Fine."));
    const Answered done = get("/responses/" + id);
    EXPECT_EQ(text(done.body, "/status"), R"("completed")");
    EXPECT_EQ(text(done.body, "/output/0/content/0/text"), R"("Fine.")");
}

TEST_F(SailResponses, RefuseWhatIsNoRequest) {
    for (const char* const more : {R"(,"previous_response_id":"r")", R"(,"background":1)",
                                   R"(,"background":true,"stream":true)", R"(,"metadata":{"n":1})"})
        EXPECT_EQ(ask(more).status, 400) << more;
    EXPECT_EQ(post("/responses", "{").status, 400);
    EXPECT_EQ(post("/responses", R"({"model":"gpt","input":"x"})").status, 400);
    EXPECT_EQ(ask(R"(,"metadata":{"completion_window":"asap"})").status, 200) << "only batches refuse it";
    sail_limits.live_body_bytes_max = 100;
    build();
    EXPECT_EQ(ask(",\"x\":\"" + std::string(100, 'x') + "\"").status, 413);
}

TEST_F(SailResponses, StopTheWorkWhenTheClientOfAStreamGoesAway) {
    live.held = true;
    live.pieces = {"event: a\ndata: {}\n\n"};
    EXPECT_TRUE(ask(R"(,"stream":true)", 1).was_cut);
    turn_until([&] { return live.running == 0; });
    EXPECT_TRUE(live.held);
}

TEST_F(SailResponses, KeepASlowStreamAliveWithComments) {
    live.held = true;
    Gate gate(*accounts);
    ResponseRoutes routes(io.get_executor(),
                          {.batches = &*batches,
                           .live = &live,
                           .body_bytes_max = 1000,
                           .times = {.first_event = 20ms, .keep_alive = 5ms, .look_every = 1ms}});
    router.emplace();
    routes.add_to(*router, gate);
    boost::asio::steady_timer later(io, 300ms);
    later.async_wait([this](const boost::system::error_code&) { live.held = false; });
    const Answered answered = ask(R"(,"stream":true)");
    EXPECT_EQ(answered.status, 200);
    EXPECT_TRUE(answered.body.starts_with(": still at work\n\n: still at work\n\n")) << answered.body;
    run(routes.stop());
}

}  // namespace
}  // namespace sheaf::dialect::sail
