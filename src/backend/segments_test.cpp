#include "backend/segments.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace sheaf::backend {
namespace {

using core::FieldType;
using core::TimeFormat;

core::SegmentsOutput one_definition() {
    core::SegmentsOutput output;
    output.definitions.push_back(
        {.id = "scene", .description = "a scene", .fields = {}, .images = {}, .ranges = {}});
    return output;
}

Segment segment(double start, double end) {
    return {start, end, {}};
}

std::string times(const Result<std::vector<DefinitionSegments>>& settled) {
    if (!settled) return "error: " + settled.error().message;
    std::string text;
    for (const auto& group : *settled)
        for (const auto& s : group.segments)
            text += render_time(s.start, TimeFormat::seconds) + "-" +
                    render_time(s.end, TimeFormat::seconds) + " ";
    return text;
}

std::string settle(const core::SegmentsOutput& output, Bounds bounds, std::vector<Segment> segments) {
    return times(settle_segments(output, bounds, {{"scene", std::move(segments)}}));
}

core::SegmentField field(FieldType type) {
    core::SegmentField made;
    made.name = "value";
    made.type = type;
    return made;
}

std::string checked(const core::SegmentField& rules, std::string_view json) {
    const auto value = check_field(rules, json);
    return value ? *value : "error: " + value.error().message;
}

TEST(SettleSegments, SortsByStart) {
    EXPECT_EQ(settle(one_definition(), {0, 60}, {segment(30, 40), segment(0, 10)}), "0.0-10.0 30.0-40.0 ");
}

TEST(SettleSegments, LeavesTouchingSegmentsAlone) {
    EXPECT_EQ(settle(one_definition(), {0, 60}, {segment(0, 10), segment(10, 20)}), "0.0-10.0 10.0-20.0 ");
}

TEST(SettleSegments, StartsTheLaterOfTwoOverlappingWhereTheEarlierEnds) {
    EXPECT_EQ(settle(one_definition(), {0, 60}, {segment(5, 20), segment(0, 10)}), "0.0-10.0 10.0-20.0 ");
}

TEST(SettleSegments, DropsASegmentInsideAnEarlierOne) {
    EXPECT_EQ(settle(one_definition(), {0, 60}, {segment(0, 30), segment(5, 10)}), "0.0-30.0 ");
}

TEST(SettleSegments, KeepsBothWhenTwoStartTogether) {
    EXPECT_EQ(settle(one_definition(), {0, 60}, {segment(0, 30), segment(0, 10)}), "0.0-10.0 10.0-30.0 ");
}

TEST(SettleSegments, KeepsOneOfTwoEqualSegments) {
    EXPECT_EQ(settle(one_definition(), {0, 60}, {segment(0, 30), segment(0, 30)}), "0.0-30.0 ");
}

TEST(SettleSegments, ClipsToTheWindowAndDropsWhatLiesOutside) {
    EXPECT_EQ(settle(one_definition(), {10, 20},
                     {segment(-5, 12), segment(18, 99), segment(0, 10), segment(20, 30)}),
              "10.0-12.0 18.0-20.0 ");
}

TEST(SettleSegments, ClipsToTheRangesOfTheDefinition) {
    auto output = one_definition();
    output.definitions[0].ranges = {{5, 10}, {20, 30}};
    EXPECT_EQ(settle(output, {0, 25}, {segment(0, 7), segment(12, 15), segment(24, 60)}),
              "5.0-7.0 24.0-25.0 ");
}

TEST(SettleSegments, LeavesAPieceInEveryRangeThatASegmentReachesOver) {
    auto output = one_definition();
    output.definitions[0].ranges = {{0, 10}, {10, 20}, {30, 40}};
    EXPECT_EQ(settle(output, {0, 60}, {segment(5, 35)}), "5.0-10.0 10.0-20.0 30.0-35.0 ");
}

TEST(SettleSegments, RefusesASegmentThatDoesNotStartBeforeItEnds) {
    EXPECT_TRUE(settle(one_definition(), {0, 60}, {segment(10, 10)}).starts_with("error: scene"));
    EXPECT_TRUE(settle(one_definition(), {0, 60}, {segment(10, 9)}).starts_with("error: scene"));
    EXPECT_TRUE(settle(one_definition(), {0, 60}, {segment(0, std::numeric_limits<double>::infinity())})
                    .starts_with("error: scene"));
    EXPECT_TRUE(settle(one_definition(), {0, 60}, {segment(std::nan(""), 5)}).starts_with("error: scene"));
}

TEST(SettleSegments, AllowsAQuarterOfASecondBesideTheDurationRules) {
    auto output = one_definition();
    output.min_duration = 5;
    output.max_duration = 10;
    EXPECT_EQ(settle(output, {0, 60}, {segment(0, 4.75), segment(10, 20.25)}), "0.0-4.75 10.0-20.25 ");
    EXPECT_NE(settle(output, {0, 60}, {segment(0, 4.7)}).find("shorter than the minimum of 5 s"),
              std::string::npos);
    EXPECT_NE(settle(output, {0, 60}, {segment(0, 10.3)}).find("longer than the maximum of 10 s"),
              std::string::npos);
}

TEST(SettleSegments, JudgesDurationsAfterCutting) {
    auto output = one_definition();
    output.min_duration = 5;
    EXPECT_TRUE(settle(output, {0, 60}, {segment(0, 10), segment(8, 13)}).starts_with("error: scene"));
}

TEST(SettleSegments, GivesEveryDefinitionInItsOrderAndDropsUnknownOnes) {
    core::SegmentsOutput output;
    output.definitions.push_back({.id = "b", .description = "", .fields = {}, .images = {}, .ranges = {}});
    output.definitions.push_back({.id = "a", .description = "", .fields = {}, .images = {}, .ranges = {}});
    const auto settled = settle_segments(
        output, {0, 60}, {{"a", {segment(5, 6)}}, {"other", {segment(9, 2)}}, {"a", {segment(1, 2)}}});
    ASSERT_TRUE(settled);
    ASSERT_EQ(settled->size(), 2U);
    EXPECT_EQ((*settled)[0].definition, "b");
    EXPECT_TRUE((*settled)[0].segments.empty());
    EXPECT_EQ((*settled)[1].definition, "a");
    EXPECT_EQ(times(settled), "1.0-2.0 5.0-6.0 ");
}

TEST(RenderSegments, WritesExactlyTheDeclaredFieldsInTheirOrder) {
    auto output = one_definition();
    output.definitions[0].fields = {field(FieldType::string), field(FieldType::number)};
    output.definitions[0].fields[1].name = "missing";
    const std::vector<DefinitionSegments> settled{{"scene", {{0, 45, {{"extra", "1"}, {"value", "\"x\""}}}}}};
    EXPECT_EQ(render_segments(output, settled),
              R"({"scene":[{"start_time":0.0,"end_time":45.0,"metadata":{"value":"x","missing":null}}]})");
}

TEST(RenderSegments, WritesTimesInTheAskedFormatAndEmptyMetadata) {
    auto output = one_definition();
    output.time_format = TimeFormat::hms_millis;
    const std::vector<DefinitionSegments> settled{{"scene", {segment(1.5, 3661.25)}}};
    EXPECT_EQ(render_segments(output, settled),
              R"({"scene":[{"start_time":"00:00:01.500","end_time":"01:01:01.250","metadata":{}}]})");
}

TEST(RenderSegments, ShowsADefinitionWithoutSegmentsAsAnEmptyArray) {
    EXPECT_EQ(render_segments(one_definition(), {}), R"({"scene":[]})");
}

TEST(RenderSegments, EscapesIds) {
    auto output = one_definition();
    output.definitions[0].id = "a\"b";
    EXPECT_EQ(render_segments(output, {}), R"({"a\"b":[]})");
}

TEST(RenderTime, ShowsSecondsToTheMillisecond) {
    EXPECT_EQ(render_time(12.5, TimeFormat::seconds), "12.5");
    EXPECT_EQ(render_time(45, TimeFormat::seconds), "45.0");
    EXPECT_EQ(render_time(0.1 + 0.2, TimeFormat::seconds), "0.3");
    EXPECT_EQ(render_time(1.0 / 3, TimeFormat::seconds), "0.333");
    EXPECT_EQ(render_time(-0.0, TimeFormat::seconds), "0.0");
    EXPECT_EQ(render_time(100, TimeFormat::seconds), "100.0");
}

TEST(RenderTime, RoundsToTheNearestSecond) {
    EXPECT_EQ(render_time(12.4, TimeFormat::hms), R"("00:00:12")");
    EXPECT_EQ(render_time(12.5, TimeFormat::hms), R"("00:00:13")");
    EXPECT_EQ(render_time(59.6, TimeFormat::hms), R"("00:01:00")");
    EXPECT_EQ(render_time(3599.5, TimeFormat::hms), R"("01:00:00")");
    EXPECT_EQ(render_time(360000, TimeFormat::hms), R"("100:00:00")");
}

TEST(RenderTime, MakesNegativeTimesZero) {
    EXPECT_EQ(render_time(-3, TimeFormat::hms), R"("00:00:00")");
    EXPECT_EQ(render_time(-3, TimeFormat::hms_millis), R"("00:00:00.000")");
}

TEST(RenderTime, CarriesMilliseconds) {
    EXPECT_EQ(render_time(12.5, TimeFormat::hms_millis), R"("00:00:12.500")");
    EXPECT_EQ(render_time(59.9996, TimeFormat::hms_millis), R"("00:01:00.000")");
}

TEST(ParseTime, ReadsWhatModelsWrite) {
    EXPECT_EQ(parse_time("75.5"), 75.5);
    EXPECT_EQ(parse_time("75"), 75);
    EXPECT_EQ(parse_time(" 12.5s "), 12.5);
    EXPECT_EQ(parse_time("1:15"), 75);
    EXPECT_EQ(parse_time("01:15.5"), 75.5);
    EXPECT_EQ(parse_time("00:01:15.500"), 75.5);
    EXPECT_EQ(parse_time("00:01:15,500"), 75.5);
    EXPECT_EQ(parse_time("[00:00:12.000]"), 12);
    EXPECT_EQ(parse_time("100:00:00"), 360000);
    EXPECT_EQ(parse_time("90:00"), 5400);
    EXPECT_EQ(parse_time("-2"), -2);
}

TEST(ParseTime, RefusesTheRest) {
    for (const auto* text :
         {"",      " ",   "abc", "1:2:3:4", "1:60", "1:75:00", "1.5:00", ":15", "15:",   "1::2",
          "1e9",   "nan", "inf", "0x10",    "--1",  "-1:00",   "1.",     ".5",  "1.2.3", "99999999999999",
          "12 13", "s",   "[]"})
        EXPECT_FALSE(parse_time(text)) << text;
    EXPECT_FALSE(parse_time(std::string(100'000, '1')));
}

TEST(CheckField, TakesNullForAnythingTheModelCouldNotFill) {
    for (const auto type : {FieldType::string, FieldType::boolean, FieldType::number, FieldType::integer,
                            FieldType::array, FieldType::timestamp})
        EXPECT_EQ(checked(field(type), "null"), "null");
}

TEST(CheckField, ChecksStrings) {
    EXPECT_EQ(checked(field(FieldType::string), R"("h\u00e9")"), "\"h\u00e9\"");
    EXPECT_EQ(checked(field(FieldType::string), "1"), "error: value: expected a string");
    EXPECT_EQ(checked(field(FieldType::string), "{"), "error: value: not a JSON value");
    EXPECT_EQ(checked(field(FieldType::string), ""), "error: value: not a JSON value");
}

TEST(CheckField, ChecksBooleans) {
    EXPECT_EQ(checked(field(FieldType::boolean), "true"), "true");
    EXPECT_EQ(checked(field(FieldType::boolean), "\"true\""), "error: value: expected a boolean");
}

TEST(CheckField, ChecksNumbers) {
    EXPECT_EQ(checked(field(FieldType::number), "1.5"), "1.5");
    EXPECT_EQ(checked(field(FieldType::number), "-2"), "-2");
    EXPECT_EQ(checked(field(FieldType::number), "\"1\""), "error: value: expected a number");
}

TEST(CheckField, TakesAWholeNumberInAnyFormForAnInteger) {
    EXPECT_EQ(checked(field(FieldType::integer), "3"), "3");
    EXPECT_EQ(checked(field(FieldType::integer), "3.0"), "3");
    EXPECT_EQ(checked(field(FieldType::integer), "-1e2"), "-100");
    EXPECT_EQ(checked(field(FieldType::integer), "3.5"), "error: value: expected an integer");
    EXPECT_EQ(checked(field(FieldType::integer), "1e300"), "error: value: expected an integer");
}

TEST(CheckField, HoldsToTheEnum) {
    auto rules = field(FieldType::string);
    rules.allowed = {"red", "green"};
    EXPECT_EQ(checked(rules, R"("green")"), R"("green")");
    EXPECT_EQ(checked(rules, R"("Green")"), "error: value: not one of the allowed values");
    rules.type = FieldType::integer;
    rules.allowed = {"1", "2"};
    EXPECT_EQ(checked(rules, "2"), "2");
    EXPECT_EQ(checked(rules, "3"), "error: value: not one of the allowed values");
}

TEST(CheckField, ChecksEveryElementOfAnArray) {
    auto rules = field(FieldType::array);
    rules.element = FieldType::integer;
    EXPECT_EQ(checked(rules, "[]"), "[]");
    EXPECT_EQ(checked(rules, "[1, 2.0]"), "[1,2]");
    EXPECT_EQ(checked(rules, R"([1,"2"])"), "error: value: every element must be an integer");
    EXPECT_EQ(checked(rules, "[null]"), "error: value: every element must be an integer");
    EXPECT_EQ(checked(rules, "1"), "error: value: expected an array");
    rules.element = FieldType::string;
    rules.allowed = {"a"};
    EXPECT_EQ(checked(rules, R"(["a","a"])"), R"(["a","a"])");
    EXPECT_EQ(checked(rules, R"(["b"])"),
              "error: value: every element must be a string and one of the allowed values");
}

TEST(CheckField, ConvertsTimestampsToTheAskedFormat) {
    auto rules = field(FieldType::timestamp);
    EXPECT_EQ(checked(rules, "75.5"), "75.5");
    EXPECT_EQ(checked(rules, R"("1:15")"), "75.0");
    rules.time_format = TimeFormat::hms;
    EXPECT_EQ(checked(rules, "75.5"), R"("00:01:16")");
    EXPECT_EQ(checked(rules, "-4"), R"("00:00:00")");
    rules.time_format = TimeFormat::hms_millis;
    EXPECT_EQ(checked(rules, R"("75.5")"), R"("00:01:15.500")");
    EXPECT_EQ(checked(rules, R"("soon")"), "error: value: expected a time in seconds or as hh:mm:ss.fff");
    EXPECT_EQ(checked(rules, "true"), "error: value: expected a time in seconds or as hh:mm:ss.fff");
    EXPECT_EQ(checked(rules, "1e300"), "error: value: expected a time in seconds or as hh:mm:ss.fff");
}

TEST(CheckField, RefusesNestingWithoutEnd) {
    EXPECT_EQ(checked(field(FieldType::array), std::string(100'000, '[')), "error: value: not a JSON value");
}

}  // namespace
}  // namespace sheaf::backend
