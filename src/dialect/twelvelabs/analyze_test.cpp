#include <gtest/gtest.h>

#include "dialect/twelvelabs/analyze_routes.h"
#include "dialect/twelvelabs/testing_world.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

class Analyze : public TwelveLabsWorld {
protected:
    Answered ask(const std::string& more, int gone_after = -1) {
        return call({.method = "POST",
                     .target = "/analyze",
                     .body = R"({"video":{"type":"asset_id","asset_id":")" + video + R"("},"prompt":"x")" +
                             more + "}",
                     .gone_after = gone_after});
    }
    std::string video = ready_asset("video");
};

std::string id_in(const std::string& body) {
    const auto at = body.find("gen_");
    return body.substr(at, body.find('"', at) - at);
}

TEST_F(Analyze, AnswersWhole) {
    const Answered answered = ask(R"(,"stream":false)");
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(
        answered.body,
        R"({"id":")" + id_in(answered.body) +
            R"(","data":"A fine video.","finish_reason":"stop","usage":{"output_tokens":3,"input_tokens":9}})");
    ASSERT_EQ(live.asked.size(), 1U);
    EXPECT_EQ(std::get<core::VideoAnalysis>(live.asked[0]).model, "pegasus1.5");
}

TEST_F(Analyze, StreamsUnlessToldOtherwise) {
    live.pieces = {"A f", "ine \xf0\x9f", "\x98\x80 vid"};
    live.pause = 2ms;
    live.ending = core::Succeeded{{.text = "A fine \xf0\x9f\x98\x80 video.", .usage = {9, 3}}};
    const Answered answered = ask("");
    EXPECT_EQ(answered.status, 200);
    EXPECT_EQ(answered.headers.find("Content-Type"), "application/x-ndjson");
    EXPECT_FALSE(answered.was_cut);
    const std::string meta = R"("metadata":{"generation_id":")" + id_in(answered.body) + "\"";
    EXPECT_EQ(answered.body, R"({"event_type":"stream_start",)" + meta + "}}\n" +
                                 R"({"event_type":"text_generation","text":"A f"})"
                                 "\n" +
                                 R"({"event_type":"text_generation","text":"ine "})"
                                 "\n" +
                                 R"({"event_type":"text_generation","text":"\ud83d\ude00 vid"})"
                                 "\n" +
                                 R"({"event_type":"text_generation","text":"eo."})"
                                 "\n" +
                                 R"({"event_type":"stream_end","finish_reason":"stop",)" + meta +
                                 R"(,"usage":{"output_tokens":3,"input_tokens":9}}})"
                                 "\n");
}

TEST_F(Analyze, TellsThatAnAnswerWasCut) {
    live.ending =
        core::Succeeded{{.text = "x", .finish = core::FinishReason::length, .truncation = "max_tokens"}};
    EXPECT_NE(ask(R"(,"stream":false)").body.find(R"("finish_reason":"length")"), std::string::npos);
    EXPECT_NE(ask("").body.find(R"("error":{"message":"max_tokens"}})"), std::string::npos);
}

TEST_F(Analyze, CutsTheStreamWhenTheAnalysisFailsUnderWay) {
    live.pieces = {"A f"};
    live.ending = core::Failed{{"analysis_failed", "The model went away."}};
    const Answered answered = ask("");
    EXPECT_EQ(answered.status, 200);
    EXPECT_TRUE(answered.was_cut);
    EXPECT_EQ(answered.body.find("stream_end"), std::string::npos);
}

TEST_F(Analyze, TellsFailuresByStatusWhenNothingWasSent) {
    live.ending = core::Failed{{"video_duration_too_long", "Too long."}};
    const Answered fault = ask(R"(,"stream":false)");
    EXPECT_EQ(fault.status, 400);
    EXPECT_NE(fault.body.find("video_duration_too_long"), std::string::npos);
    live.ending = core::Failed{{"something_new", "Broken."}};
    EXPECT_EQ(ask(R"(,"stream":false)").status, 500);
    live.ending = core::Canceled{};
    const Answered stopped = ask(R"(,"stream":false)");
    EXPECT_EQ(stopped.status, 503);
    EXPECT_EQ(stopped.headers.find("Retry-After"), "5");
}

TEST_F(Analyze, CancelsTheAnalysisWhenTheClientGoesAway) {
    live.held = true;
    EXPECT_TRUE(ask("", 1).was_cut);
    turn_until([&] { return live.running == 0; });
    EXPECT_TRUE(live.held);
}

TEST_F(Analyze, RefusesVideosOverAnHour) {
    limits.live_video_seconds_max = 11;
    build();
    const Answered answered = ask("");
    EXPECT_EQ(answered.status, 400);
    EXPECT_NE(answered.body.find("video_duration_too_long"), std::string::npos);
}

TEST_F(Analyze, KeepsASlowClientWaitingWithBlanks) {
    live.held = true;
    Gate gate({&*accounts, [this] { return clock.now(); }, 0});
    AnalyzeRoutes routes(
        io.get_executor(),
        {&*assets, &live, "pegasus1.5", {.patience = 20ms, .keep_alive = 5ms, .look_every = 1ms}});
    router.emplace();
    routes.add_to(*router, gate);
    boost::asio::steady_timer later(io, 300ms);
    later.async_wait([this](const boost::system::error_code&) { live.held = false; });
    const Answered answered = ask(R"(,"stream":false)");
    EXPECT_EQ(answered.status, 200);
    EXPECT_TRUE(answered.body.starts_with("  "));
    const auto document = jsonl::Document::parse(answered.body);
    ASSERT_TRUE(document);
    std::string_view data;
    EXPECT_EQ(document->root()["data"].get(data), simdjson::SUCCESS);
    EXPECT_EQ(data, "A fine video.");
    live.held = true;
    boost::asio::steady_timer again(io, 300ms);
    again.async_wait([this](const boost::system::error_code&) { live.held = false; });
    EXPECT_NE(ask("").body.find("}\n\n\n"), std::string::npos);
    run(routes.stop());
}

TEST_F(Analyze, StoppingWaitsForWhatAClientLeftBehind) {
    live.held = true;
    live.pieces = {"A fine ", "video."};
    ask("", 1);
    run(dialect->stop());
    EXPECT_EQ(live.running, 0);
}

}  // namespace
}  // namespace sheaf::dialect::twelvelabs
