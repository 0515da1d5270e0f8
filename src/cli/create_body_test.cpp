#include "cli/create_body.h"

#include <functional>

#include <gtest/gtest.h>

#include "cli/upload.h"

namespace sheaf::cli {
namespace {

Plan uploaded(Plan plan) {
    int n = 0;
    for (PlannedItem& item : plan.items) {
        if (item.asset_id.empty()) item.asset_id = "asset" + std::to_string(++n);
    }
    return plan;
}

TEST(CreateBody, OneItemAFileWithIdsFromTheNames) {
    const Plan plan = plan_videos({"dir/a b.mp4", "other/a b.mov", "é.mp4", std::string(100, 'x') + ".mp4",
                                   std::string(100, 'x') + ".avi"});
    std::vector<std::string> ids;
    for (const PlannedItem& item : plan.items) ids.push_back(item.custom_id);
    EXPECT_EQ(ids, (std::vector<std::string>{"a_b", "a_b-2", "__", std::string(64, 'x'),
                                             std::string(62, 'x') + "-2"}));
}

TEST(CreateBody, HasTheOptionsAsDefaults) {
    const AnalysisOptions options{.prompt = "What?",
                                  .schema_json = "{\n \"type\": \"object\"\n}",
                                  .max_tokens = 600,
                                  .temperature = 0.5,
                                  .end_time = 10};
    const Plan plan = uploaded(plan_videos({"a.mp4"}));
    ASSERT_TRUE(check_options(options, plan));
    EXPECT_EQ(
        render_create_body(options, plan),
        R"({"model_name":"pegasus1.5","analysis_mode":"general","defaults":{"prompt":{"input_text":"What?"},)"
        R"("response_format":{"type":"json_schema","json_schema":{"type":"object"}},"temperature":0.5,"max_tokens":600,"end_time":10},)"
        R"("requests":[{"video":{"type":"asset_id","asset_id":"asset1"},"custom_id":"a"}]})");
}

TEST(CreateBody, SegmentsAreAListOrAnObject) {
    const Plan plan = uploaded(plan_videos({"a.mp4"}));
    AnalysisOptions options{.segments_json = R"([{"id":"s","description":"d"}])"};
    ASSERT_TRUE(check_options(options, plan));
    EXPECT_EQ(
        render_create_body(options, plan),
        R"({"model_name":"pegasus1.5","analysis_mode":"time_based_metadata","defaults":{"response_format":)"
        R"({"type":"segment_definitions","segment_definitions":[{"id":"s","description":"d"}]}},)"
        R"("requests":[{"video":{"type":"asset_id","asset_id":"asset1"},"custom_id":"a"}]})");
    options.segments_json = R"({"segment_definitions":[{"id":"s"}],"segment_time_format":"hh:mm:ss"})";
    ASSERT_TRUE(check_options(options, plan));
    EXPECT_NE(render_create_body(options, plan)
                  .find(R"("segment_definitions":[{"id":"s"}],"segment_time_format":"hh:mm:ss"})"),
              std::string::npos);
}

TEST(CreateBody, ARequestFileIsKeptButForItsVideos) {
    const std::string file =
        R"({"model_name":"m","analysis_mode":"general","defaults":{"prompt":{"input_text":"d"},"temperature":0.1},
        "requests":[{"custom_id":"x","video":{"type":"file","path":"clips/a.mp4"},"prompt":{"input_text":"p","media_sources":null}},
                    {"video":{"type":"asset_id","asset_id":"known"}}]})";
    auto plan = plan_requests(file, "/base");
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->items[0].file, "/base/clips/a.mp4");
    EXPECT_EQ(plan->items[1].asset_id, "known");
    const AnalysisOptions options{.temperature = 0.9};
    ASSERT_TRUE(check_options(options, *plan));
    EXPECT_EQ(
        render_create_body(options, uploaded(*plan)),
        R"({"model_name":"m","analysis_mode":"general","defaults":{"temperature":0.9,"prompt":{"input_text":"d"}},)"
        R"("requests":[{"video":{"type":"asset_id","asset_id":"asset1"},"custom_id":"x","prompt":{"input_text":"p","media_sources":null}},)"
        R"({"video":{"type":"asset_id","asset_id":"known"}}]})");
}

TEST(CreateBody, WrongInputIsToldBeforeAnythingIsSent) {
    for (const char* bad : {"", "{", "{}", "[{}]", R"([{"video":{}}])", R"([{"video":{"type":"file"}}])",
                            R"({"requests":{}})", "[1]"}) {
        const auto plan = plan_requests(bad, "");
        ASSERT_FALSE(plan) << bad;
        EXPECT_EQ(plan.error().exit_code, ExitCode::usage);
    }
    const Plan one = plan_videos({"a.mp4"});
    const auto refused = [](const AnalysisOptions& options, const Plan& plan) {
        return !check_options(options, plan);
    };
    EXPECT_FALSE(refused({}, one)) << "there is a prompt for those who give none";
    EXPECT_TRUE(refused({.prompt = "p"}, {})) << "no items";
    EXPECT_TRUE(refused({.mode = "other", .prompt = "p"}, one));
    EXPECT_TRUE(refused({.mode = "time_based_metadata"}, one));
    EXPECT_TRUE(refused({.mode = "time_based_metadata", .prompt = "p", .segments_json = "[]"}, one));
    EXPECT_TRUE(refused({.mode = "general", .prompt = "p", .segments_json = "[]"}, one));
    EXPECT_TRUE(refused({.prompt = "p", .schema_json = "[]"}, one));
    EXPECT_TRUE(refused({.prompt = "p", .schema_json = "{"}, one));
    EXPECT_TRUE(refused({.segments_json = "{}"}, one));
    EXPECT_TRUE(refused({.prompt = "p"}, plan_videos(std::vector<std::filesystem::path>(1001, "a.mp4"))));
    EXPECT_FALSE(check_files({"/no/such/file"}));
    EXPECT_FALSE(check_files({"/tmp"}));
}

}  // namespace
}  // namespace sheaf::cli
