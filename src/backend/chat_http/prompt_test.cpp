#include "backend/chat_http/prompt.h"

#include <gtest/gtest.h>

#include "backend/chat_http/shown_video_test.h"

namespace sheaf::backend::chat_http {
namespace {

struct Shown {
    core::VideoAnalysis analysis;
    media::MediaInfo info;
    media::FrameSet frames;
    std::vector<ImageInput> images;
    std::optional<JsonAnswer> json;

    Shown() {
        info.duration_s = 12.5;
        info.video.push_back({.width = 640, .height = 360});
        frames.frames = {{.time = 0, .width = 56, .height = 28, .bytes = "one"},
                         {.time = 61.25, .width = 56, .height = 28, .bytes = "four"}};
        analysis.prompt.text = "What is shown?";
    }
    Question question() const { return {analysis, info, frames, images, {0, 12.5}, json ? &*json : nullptr}; }
};

constexpr std::string_view kUserStart =
    R"({"role":"user","content":[{"type":"text","text":"Video, 12.500 s long, 640x360. Shown: 00:00:00.000 to 00:00:12.500, 2 frames."},)"
    R"({"type":"text","text":"[00:00:00.000]"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,b25l"}},)"
    R"({"type":"text","text":"[00:01:01.250]"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,Zm91cg=="}},)";

std::string user_message(const Shown& shown) {
    const auto all = messages(shown.question());
    return all.substr(all.find(R"({"role":"user")"));
}

TEST(ChatPrompt, ShowsFramesAfterTheirTimesAndTheWordsLast) {
    Shown shown;
    EXPECT_EQ(user_message(shown), std::string(kUserStart) + R"({"type":"text","text":"What is shown?"}]})");
    EXPECT_TRUE(messages(shown.question()).starts_with(R"({"role":"system","content":"You analyse videos.)"));
}

TEST(ChatPrompt, BeginsWithTheSameBytesForEveryQuestionOnOneVideo) {
    Shown first;
    Shown second;
    second.analysis.prompt.text = "Something else?";
    second.analysis.output = core::JsonOutput{R"({"type":"null"})"};
    second.json = *JsonAnswer::make(R"({"type":"null"})");
    second.images.push_back({.name = "logo", .mime_type = "image/png", .bytes = "x"});
    const auto one = messages(first.question());
    const auto two = messages(second.question());
    const auto shared = one.rfind(R"({"type":"text")");
    EXPECT_EQ(one.substr(0, shared), two.substr(0, shared));
}

TEST(ChatPrompt, NamesImagesBetweenTheFramesAndTheWords) {
    Shown shown;
    shown.analysis.prompt.text = "Find <@logo>, not <@other>.";
    shown.analysis.prompt.images = {{.name = "logo", .source = core::FromUrl{"https://example.com/a"}}};
    shown.images.push_back({.name = "logo", .mime_type = "image/png", .bytes = "abc"});
    EXPECT_EQ(user_message(shown),
              std::string(kUserStart) +
                  R"({"type":"text","text":"image \"logo\""},)"
                  R"({"type":"image_url","image_url":{"url":"data:image/png;base64,YWJj"}},)"
                  R"({"type":"text","text":"Find image \"logo\", not <@other>."}]})");
}

TEST(ChatPrompt, DescribesTheSegmentsItAsksFor) {
    Shown shown;
    core::SegmentsOutput output;
    output.min_duration = 2.5;
    core::SegmentDefinition definition;
    definition.id = "goal";
    definition.description = "A goal by <@team>.";
    definition.images = {{.name = "team", .source = core::FromUrl{"https://example.com/a"}}};
    definition.ranges = {{10, 20}};
    core::SegmentField field;
    field.name = "minute";
    field.type = core::FieldType::integer;
    field.description = "The minute.";
    definition.fields = {field};
    output.definitions = {definition};
    shown.analysis.output = output;
    shown.images.push_back({.name = "team", .mime_type = "image/png", .bytes = "abc"});
    const auto text = user_message(shown);
    for (const auto* part : {R"("text":"image \"team\" of \"goal\"")", "A segment lasts at least 2.5 s.",
                             R"(Definition \"goal\": A goal by image \"team\" of \"goal\".)",
                             "- only between 10.000 and 20.000 s",
                             R"(- metadata \"minute\" (integer): The minute.)", "JSON Schema"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(ChatPrompt, AsksForADocumentByItsPlainSchema) {
    const auto json = *JsonAnswer::make(
        R"({"type":"object","properties":{"t":{"type":"timestamp","format":"seconds"}},"required":["t"]})");
    EXPECT_EQ(
        response_format(core::JsonOutput{}, &json),
        R"({"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object","properties":{"t":{"type":"number","description":"A time in the video, as in the labels of the frames."}},"required":["t"],"additionalProperties":false}}})");
    EXPECT_EQ(response_format(core::TextOutput{}, nullptr), "");
}

TEST(ChatPrompt, ReplacesOnlyKnownPlaceholders) {
    const std::vector<core::NamedImage> images{{.name = "a", .source = core::FromUrl{}}};
    EXPECT_EQ(with_references("<@a><@b> <@", images, ""), "image \"a\"<@b> <@");
    EXPECT_EQ(with_references("<@x <@a>", images, ""), "<@x image \"a\"");
    EXPECT_EQ(with_references("", images, ""), "");
}

TEST(ChatPrompt, EstimatesPicturesByTheirSize) {
    Shown shown;
    const auto with_two = estimated_input_tokens(shown.question());
    shown.frames.frames[0].width = 56 * 10;
    EXPECT_EQ(estimated_input_tokens(shown.question()), with_two + 18);
}

TEST(ChatPrompt, QuotesTheBadAnswerAndTheReason) {
    EXPECT_TRUE(
        repair_turns("{\"a\":1}", "a: expected type string")
            .starts_with(
                R"(,{"role":"assistant","content":"{\"a\":1}"},{"role":"user","content":"That answer cannot be used: a: expected type string.)"));
    EXPECT_LT(repair_turns(std::string(1'000'000, 'x'), "").size(), 100'000U);
    EXPECT_NE(repair_turns("", "why").find(R"x("content":"(nothing)")x"), std::string::npos);
}

}  // namespace
}  // namespace sheaf::backend::chat_http
