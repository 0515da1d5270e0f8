#include "backend/json_answer.h"

#include <gtest/gtest.h>

#include "backend/invented.h"
#include "backend/json_text.h"
#include "backend/pattern.h"
#include "backend/segments_answer.h"

namespace sheaf::backend {
namespace {

std::string settled(std::string_view schema, std::string_view text) {
    const auto answer = JsonAnswer::make(schema);
    if (!answer) return "schema: " + answer.error().message;
    const auto result = answer->settle(text);
    return result ? *result : "error: " + result.error().message;
}

std::string for_model(std::string_view schema) {
    return json_text(JsonAnswer::make(schema)->schema_for_model());
}

constexpr std::string_view kTitleAndCount =
    R"({"type":"object","properties":{"title":{"type":"string"},"count":{"type":"integer","minimum":1}},"required":["title"]})";

TEST(JsonAnswer, TakesADocumentThatFollowsTheSchema) {
    EXPECT_EQ(settled(kTitleAndCount, R"({"title":"x","count":2})"), R"({"title":"x","count":2})");
}

TEST(JsonAnswer, TakesADocumentInAMarkdownFence) {
    EXPECT_EQ(settled(kTitleAndCount, "```json\n{\"title\":\"x\"}\n```\n"), R"({"title":"x"})");
    EXPECT_EQ(settled(kTitleAndCount, "  \n```\n{\"title\":\"```\"}\n```"), R"({"title":"```"})");
    EXPECT_EQ(settled(kTitleAndCount, "\xEF\xBB\xBF{\"title\":\"x\"}"), R"({"title":"x"})");
}

TEST(JsonAnswer, PutsMembersInTheOrderOfTheSchemaAndDropsOthers) {
    EXPECT_EQ(settled(kTitleAndCount, R"({"extra":1,"count":2,"title":"x"})"), R"({"title":"x","count":2})");
}

TEST(JsonAnswer, MovesTheFirstRequiredMemberToTheFrontWhenTheFirstIsOptional) {
    constexpr std::string_view schema =
        R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"integer"}},"required":["c"]})";
    EXPECT_EQ(settled(schema, R"({"a":1,"b":2,"c":3})"), R"({"c":3,"a":1,"b":2})");
    EXPECT_TRUE(for_model(schema).starts_with(R"({"type":"object","properties":{"c":)"));
}

TEST(JsonAnswer, SaysWhatIsWrongAndWhere) {
    EXPECT_EQ(settled(kTitleAndCount, R"({"title":1})"), "error: title: expected type string");
    EXPECT_EQ(settled(kTitleAndCount, R"({"count":1})"),
              R"(error: the document: the member "title" is missing)");
    EXPECT_EQ(settled(kTitleAndCount, R"({"title":"x","count":0})"), "error: count: less than 1");
    EXPECT_EQ(settled(kTitleAndCount, R"({"title":"x","count":1.5})"), "error: count: expected an integer");
    EXPECT_EQ(settled(kTitleAndCount, R"([])"), "error: the document: expected type object");
    EXPECT_TRUE(
        settled(kTitleAndCount, R"(Sure! {"title":"x"})").starts_with("error: not one JSON document"));
    EXPECT_TRUE(settled(kTitleAndCount, "").starts_with("error: not one JSON document"));
}

TEST(JsonAnswer, LeavesOutAnOptionalMemberThatIsNull) {
    EXPECT_EQ(settled(kTitleAndCount, R"({"title":"x","count":null})"), R"({"title":"x"})");
    EXPECT_EQ(settled(kTitleAndCount, R"({"title":null})"), "error: title: expected type string");
}

TEST(JsonAnswer, ChecksNestedArraysAndBounds) {
    constexpr std::string_view schema =
        R"({"type":"object","properties":{"list":{"type":"array","minItems":1,"items":{"type":"integer","exclusiveMaximum":10}}}})";
    EXPECT_EQ(settled(schema, R"({"list":[1,2.0]})"), R"({"list":[1,2]})");
    EXPECT_EQ(settled(schema, R"({"list":[1,10]})"), "error: list[1]: not less than 10");
    EXPECT_EQ(settled(schema, R"({"list":[]})"), "error: list: has too few elements");
}

TEST(JsonAnswer, ChecksEnumAndConst) {
    EXPECT_EQ(settled(R"({"enum":["a",1,null]})", "1.0"), "1");
    EXPECT_EQ(settled(R"({"enum":["a",1,null]})", "\"b\""),
              R"(error: the document: not one of ["a",1,null])");
    EXPECT_EQ(settled(R"({"const":true})", "false"), "error: the document: expected true");
}

TEST(JsonAnswer, TakesTheFirstAlternativeThatFits) {
    constexpr std::string_view schema = R"({"anyOf":[{"type":"integer"},{"type":"string"}]})";
    EXPECT_EQ(settled(schema, "3.0"), "3");
    EXPECT_EQ(settled(schema, "\"x\""), "\"x\"");
    EXPECT_TRUE(settled(schema, "true").starts_with("error: the document: fits none of the alternatives"));
}

TEST(JsonAnswer, FollowsReferencesAlsoThroughThemselves) {
    constexpr std::string_view tree =
        R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}}}}})";
    EXPECT_EQ(settled(tree, R"({"next":{"next":{"x":1}}})"), R"({"next":{"next":{}}})");
    EXPECT_EQ(settled(tree, R"({"next":1})"), "error: next: expected type object");
    EXPECT_EQ(settled(R"({"$ref":"#/$defs/x"})", "1"),
              "error: the document: the schema refers to #/$defs/x, which is not there");
}

TEST(JsonAnswer, GivesUpOnASchemaThatRefersToItself) {
    EXPECT_EQ(settled(R"({"$ref":"#"})", "1"), "error: the document: too deep or too complex to check");
}

TEST(JsonAnswer, GivesUpOnAlternativesThatMultiply) {
    std::string schema = R"({"$ref":"#/$defs/n","$defs":{"n":{"anyOf":[)";
    for (int i = 0; i < 8; ++i) {
        if (i > 0) schema += ',';
        schema += R"({"type":"object","properties":{"n":{"$ref":"#/$defs/n"}},"required":["n","missing"]})";
    }
    schema += "]}}}";
    std::string text = "1";
    for (int i = 0; i < 40; ++i) text = "{\"n\":" + text + "}";
    EXPECT_TRUE(settled(schema, text).starts_with("error: "));
}

TEST(JsonAnswer, ChecksPatternsAndFormats) {
    constexpr std::string_view code = R"({"type":"string","pattern":"^[A-Z]{2}\\d+$"})";
    EXPECT_EQ(settled(code, R"("AB12")"), R"("AB12")");
    EXPECT_EQ(settled(code, R"("ab")"), R"(error: the document: does not match ^[A-Z]{2}\d+$)");
    EXPECT_EQ(settled(R"({"type":"string","format":"date"})", R"("2026-02-30")"), R"("2026-02-30")");
    EXPECT_EQ(settled(R"({"type":"string","format":"date"})", R"("soon")"),
              "error: the document: not of the format date");
    EXPECT_TRUE(
        settled(R"({"type":"string","pattern":"("})", "\"x\"").starts_with("schema: the pattern is not"));
}

TEST(Pattern, GivesUpOnOneThatExplodes) {
    const auto found = matches_pattern("^(a+)+$", std::string(40, 'a') + "b");
    EXPECT_TRUE(!found || !*found);
    const auto nested = matches_pattern("^((a|a)*)*$", std::string(2000, 'a') + "b");
    EXPECT_TRUE(!nested || !*nested);
    EXPECT_FALSE(matches_pattern("a", std::string(100'000, 'b')));
}

TEST(Pattern, SurvivesLongTexts) {
    const auto found = matches_pattern("^(.|\\s)*$", std::string(30'000, 'x'));
    EXPECT_TRUE(!found || *found);
}

TEST(Pattern, KnowsTheFormats) {
    EXPECT_TRUE(matches_format("uuid", "123e4567-e89b-12d3-a456-426614174000"));
    EXPECT_FALSE(matches_format("uuid", "123e4567"));
    EXPECT_TRUE(matches_format("date-time", "2026-06-18T10:00:00.000Z"));
    EXPECT_FALSE(matches_format("date-time", "2026-06-18"));
    EXPECT_TRUE(matches_format("time", "10:00:00+02:00"));
    EXPECT_FALSE(matches_format("time", "10:00"));
    EXPECT_TRUE(matches_format("other", "anything"));
}

TEST(JsonAnswer, ConvertsTimestampsToTheirFormat) {
    constexpr std::string_view schema =
        R"({"type":"object","properties":{"a":{"type":"timestamp","format":"seconds"},"b":{"type":"timestamp","format":"hh:mm:ss"},"c":{"type":"timestamp","format":"hh:mm:ss.fff"}}})";
    EXPECT_EQ(settled(schema, R"({"a":"1:15","b":75.5,"c":75.5})"),
              R"({"a":75,"b":"00:01:16","c":"00:01:15.500"})");
    EXPECT_EQ(settled(schema, R"({"a":12.5,"b":"-3","c":"[00:00:12.000]"})"),
              R"({"a":12.5,"b":"00:00:00","c":"00:00:12.000"})");
    EXPECT_EQ(settled(schema, R"({"b":"noon"})"), "error: b: expected a time in seconds or as hh:mm:ss.fff");
    EXPECT_EQ(
        for_model(
            R"({"type":"object","properties":{"b":{"type":"timestamp","format":"hh:mm:ss","description":"d"}}})"),
        R"({"type":"object","properties":{"b":{"type":"string","description":"d","pattern":"^[0-9]{2,}:[0-5][0-9]:[0-5][0-9]$"}},"additionalProperties":false})");
}

TEST(JsonAnswer, TypesStartTimeAndEndTimeAtAnyDepth) {
    constexpr std::string_view schema =
        R"({"type":"object","properties":{"list":{"type":"array","items":{"type":"object","properties":{"start_time":{"type":"integer"},"end_time":{"type":"string"}}}}}})";
    EXPECT_EQ(settled(schema, R"({"list":[{"start_time":1.6,"end_time":75.5}]})"),
              R"({"list":[{"start_time":2,"end_time":"00:01:15.500"}]})");
    EXPECT_EQ(settled(R"({"type":"object","properties":{"start_time":{"type":"number"}}})",
                      R"({"start_time":1.25})"),
              R"({"start_time":1.25})");
    EXPECT_EQ(settled(R"({"type":"object","properties":{"start_time":{"type":"number"}}})",
                      R"({"start_time":"0:02"})"),
              R"({"start_time":2})");
}

TEST(JsonAnswer, IsStrictWhenEveryMemberIsRequired) {
    EXPECT_FALSE(JsonAnswer::make(kTitleAndCount)->is_strict());
    EXPECT_TRUE(JsonAnswer::make(R"({"type":"object","properties":{"a":{"type":"null"}},"required":["a"]})")
                    ->is_strict());
    EXPECT_FALSE(JsonAnswer::make(R"({"type":"array","items":{"type":"null"}})")->is_strict());
}

TEST(Invented, FollowsTheSchema) {
    for (
        const std::string_view schema :
        {kTitleAndCount, std::string_view(R"({"type":"string","enum":["x","y"]})"),
         std::string_view(
             R"({"type":"object","properties":{"when":{"type":"timestamp","format":"hh:mm:ss"},"id":{"type":"string","format":"uuid"},"start_time":{"type":"string"},"list":{"type":"array","minItems":1,"items":{"anyOf":[{"type":"integer","exclusiveMinimum":4},{"type":"null"}]}},"code":{"type":"string","pattern":"^[a-z]{3}$"}},"required":["when","id","list","code"]})"),
         std::string_view(
             R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["next"]}}})")}) {
        const auto answer = JsonAnswer::make(schema);
        ASSERT_TRUE(answer) << answer.error().message;
        const auto text = json_text(invented_document(answer->schema_for_model()));
        const auto result = answer->settle(text);
        EXPECT_TRUE(result) << result.error().message << " in " << text;
    }
}

core::SegmentsOutput scenes() {
    core::SegmentsOutput output;
    core::SegmentDefinition definition;
    definition.id = "scene";
    definition.description = "a scene";
    core::SegmentField mood;
    mood.name = "mood";
    mood.allowed = {"calm", "wild"};
    core::SegmentField peak;
    peak.name = "peak";
    peak.type = core::FieldType::timestamp;
    peak.time_format = core::TimeFormat::hms;
    definition.fields = {mood, peak};
    output.definitions = {definition};
    return output;
}

TEST(SegmentsAnswer, ReadsWhatAModelAnswers) {
    EXPECT_EQ(
        *settle_segments_answer(
            scenes(), {0, 60},
            R"({"scene":[{"start_time":"0:10","end_time":99,"metadata":{"mood":"calm","peak":12.4,"x":1}},{"start_time":0,"end_time":10}]})"),
        R"({"scene":[{"start_time":0.0,"end_time":10.0,"metadata":{"mood":null,"peak":null}},{"start_time":10.0,"end_time":60.0,"metadata":{"mood":"calm","peak":"00:00:12"}}]})");
}

TEST(SegmentsAnswer, SaysWhatIsWrong) {
    const auto why = [](std::string_view text) {
        const auto result = settle_segments_answer(scenes(), {0, 60}, text);
        return result ? *result : result.error().message;
    };
    EXPECT_EQ(why("{}"), "scene: expected an array of segments");
    EXPECT_EQ(why("[]"), "the document: expected an object");
    EXPECT_EQ(why(R"({"scene":[1]})"), "scene[0]: expected an object");
    EXPECT_EQ(why(R"({"scene":[{"start_time":1}]})"), "scene[0].end_time: expected a time in seconds");
    EXPECT_EQ(why(R"({"scene":[{"start_time":1,"end_time":2,"metadata":{"mood":"odd"}}]})"),
              "scene[0].metadata.mood: not one of the allowed values");
}

TEST(SegmentsAnswer, AsksForWhatItReads) {
    const auto schema = segments_schema(scenes());
    EXPECT_EQ(
        json_text(schema),
        R"({"type":"object","properties":{"scene":{"type":"array","items":{"type":"object","properties":{"start_time":{"type":"number"},"end_time":{"type":"number"},"metadata":{"type":"object","properties":{"mood":{"type":["string","null"],"enum":["calm","wild",null]},"peak":{"type":["number","null"],"description":"Seconds from the start of the video."}},"required":["mood","peak"],"additionalProperties":false}},"required":["start_time","end_time","metadata"],"additionalProperties":false}}},"required":["scene"],"additionalProperties":false})");
    EXPECT_EQ(
        *settle_segments_answer(scenes(), {4, 60}, json_text(invented_segments(scenes(), {4, 60}))),
        R"({"scene":[{"start_time":4.0,"end_time":60.0,"metadata":{"mood":"calm","peak":"00:00:04"}}]})");
}

}  // namespace
}  // namespace sheaf::backend
