#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/scene/fields.h"
#include "backend/scene/findings.h"
#include "backend/scene/looks.h"
#include "backend/scene/report.h"
#include "backend/scene/text_lines.h"
#include "backend/scene/text_reader.h"

namespace sheaf::backend::scene {
namespace {

using testing::ElementsAre;

GrayPicture plain(int width, int height, char level) {
    return {width, height, std::string(static_cast<std::size_t>(width * height), level)};
}

void fill(GrayPicture& picture, Box box, char level) {
    for (int y = box.top; y < box.bottom; ++y) {
        for (int x = box.left; x < box.right; ++x) {
            picture.bytes[static_cast<std::size_t>(y * picture.width + x)] = level;
        }
    }
}

// Bars in a row, as far apart as letters are.
void draw_marks(GrayPicture& picture, int left, int base, int height, int count, char level) {
    for (int i = 0; i < count; ++i) {
        const int x = left + i * height * 3 / 4;
        fill(picture, {x, base - height, x + height / 5 + 1, base}, level);
        fill(picture, {x, base - height / 5 - 1, x + height / 2, base}, level);
    }
}

TEST(TextLines, MarksInARowAreALineOfEitherPolarity) {
    for (const bool is_light : {false, true}) {
        GrayPicture picture = plain(320, 180, is_light ? 40 : static_cast<char>(220));
        draw_marks(picture, 40, 100, 20, 8, is_light ? static_cast<char>(230) : 20);
        const std::vector<LineCandidate> lines = find_lines(picture.view());
        ASSERT_EQ(lines.size(), 1U);
        EXPECT_EQ(lines[0].is_light, is_light);
        EXPECT_NEAR(lines[0].box.left, 40, 2);
        EXPECT_NEAR(lines[0].box.top, 80, 2);
        EXPECT_NEAR(lines[0].box.bottom, 100, 2);
        const GrayPicture cut = cut_line(picture.view(), lines[0], CutStyle::stretched);
        // Dark on light, whatever it was.
        EXPECT_GT(cut.view().at(0, 0), 200);
    }
}

TEST(TextLines, LargeMarksAreFoundToo) {
    GrayPicture picture = plain(1280, 720, static_cast<char>(220));
    draw_marks(picture, 100, 500, 220, 5, 10);
    const std::vector<LineCandidate> lines = find_lines(picture.view());
    ASSERT_FALSE(lines.empty());
    EXPECT_NEAR(lines[0].box.height(), 220, 20);
}

TEST(TextLines, APlainOrTinyPictureHasNone) {
    EXPECT_TRUE(find_lines(plain(640, 360, 100).view()).empty());
    EXPECT_TRUE(find_lines(plain(3, 2, 100).view()).empty());
    EXPECT_TRUE(find_lines(plain(0, 0, 0).view()).empty());
}

TEST(TextReader, WordsHaveToBeSureAndLookLikeWords) {
    EXPECT_TRUE(is_plausible_word("Hello", 80));
    EXPECT_TRUE(is_plausible_word("(2026)", 80));
    EXPECT_FALSE(is_plausible_word("Hello", 40));
    EXPECT_FALSE(is_plausible_word("~|_", 95));
    EXPECT_FALSE(is_plausible_word("lll", 95));
    EXPECT_FALSE(is_plausible_word("i", 95));
    EXPECT_FALSE(is_plausible_word("", 95));
}

ReadLine line(std::string text, float confidence = 90) {
    return {.text = std::move(text), .confidence = confidence};
}

TEST(Texts, ALineSeenInLooksThatFollowIsOneStretch) {
    std::vector<Look> looks(5);
    for (std::size_t i = 0; i < looks.size(); ++i) {
        looks[i].time = 1 + 2 * static_cast<double>(i);
        looks[i].slot = {2 * static_cast<double>(i), 2 * static_cast<double>(i + 1)};
    }
    looks[0].lines = {line("Good moming everyone", 70)};
    looks[1].lines = {line("Good morning everyone", 95)};
    looks[2].same_as = 1;
    looks[4].lines = {line("Goodbye", 95)};
    const std::vector<SeenText> texts = merge_texts(looks);
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_EQ(texts[0].text, "Good morning everyone");
    EXPECT_DOUBLE_EQ(texts[0].span.start, 0);
    EXPECT_DOUBLE_EQ(texts[0].span.end, 6);
    EXPECT_EQ(texts[1].text, "Goodbye");
    EXPECT_DOUBLE_EQ(texts[1].span.start, 8);
}

Findings a_film() {
    Findings findings{.window = {0, 20}};
    findings.shots = {{0, 10}, {10, 20}};
    for (int i = 0; i < 200; ++i) {
        const double time = i * 0.1;
        const bool is_second = time >= 10 - 1e-9;
        findings.steps.push_back(
            {.time = time, .luma = is_second ? 220.0F : 40.0F, .moved = is_second ? 20.0F : 0.1F});
        if (i % 2 == 0) {
            Moment moment{.time = time};
            moment.colours.pixels[is_second ? 5 : 0] = 10;
            moment.colours.sums[is_second ? 5 : 0] = {is_second ? 2200U : 0U, 0, 0};
            moment.thumb.fill(is_second ? 200 : 40);
            findings.moments.push_back(moment);
        }
    }
    media::Loudness loudness;
    for (int i = 0; i < 200; ++i) loudness.dbfs.push_back(i < 100 ? -90.0F : -10.0F);
    findings.silences = find_silences(loudness, findings.window);
    findings.loudness = loudness;
    findings.has_sound = true;
    findings.texts = {{{2, 4}, "Hello \"World\""}};
    return findings;
}

TEST(Looks, AStillShotIsReadOnceAndEveryShotIsReadAtLeastOnce) {
    const std::vector<Look> looks = plan_looks(a_film(), {.every_s = 2});
    ASSERT_EQ(looks.size(), 10U);
    std::size_t read = 0;
    for (const Look& look : looks) read += look.same_as ? 0 : 1;
    EXPECT_EQ(read, 2U);
    EXPECT_FALSE(looks[0].same_as);
    EXPECT_FALSE(looks[5].same_as);
    EXPECT_EQ(group_looks(looks).size(), 2U);
}

TEST(Looks, TheLimitSparesTheOnlyLookOfAShot) {
    Findings findings = a_film();
    for (std::size_t i = 0; i < findings.moments.size(); ++i) {
        findings.moments[i].thumb.fill(static_cast<std::uint8_t>(i * 2));
    }
    const std::vector<Look> looks = plan_looks(findings, {.every_s = 1, .count_max = 3});
    std::size_t read = 0;
    for (const Look& look : looks) read += look.same_as || look.is_left_out ? 0 : 1;
    EXPECT_EQ(read, 3U);
    EXPECT_FALSE(looks[0].is_left_out);
    EXPECT_FALSE(looks[10].is_left_out);
}

TEST(Sound, SilencesShorterThanHalfASecondAreNone) {
    media::Loudness loudness;
    loudness.dbfs = {-20, -60, -60, -60, -60, -20, -60, -60, -60, -60, -60, -20};
    const std::vector<Span> silences = find_silences(loudness, {0, 1.2});
    ASSERT_EQ(silences.size(), 1U);
    EXPECT_NEAR(silences[0].start, 0.6, 1e-9);
    EXPECT_NEAR(silences[0].end, 1.1, 1e-9);
}

std::string value(core::SegmentField field, Span span = {0, 10}) {
    return field_value(a_film(), field, span).value_or("nothing");
}

TEST(Fields, AreFilledFromWhatWasMeasured) {
    using core::FieldType;
    EXPECT_EQ(value({.name = "motion"}), R"("none")");
    EXPECT_EQ(value({.name = "Movement_Level"}, {10, 20}), R"("high")");
    EXPECT_EQ(value({.name = "activity", .type = FieldType::boolean}), "false");
    EXPECT_EQ(value({.name = "lighting", .allowed = {"LIGHT", "DARK"}}), R"("DARK")");
    EXPECT_EQ(value({.name = "dominant_color"}, {10, 20}), R"("red")");
    EXPECT_EQ(value({.name = "dominant_colour_hex"}, {10, 20}), R"("#dc0000")");
    EXPECT_EQ(value({.name = "loudness", .type = FieldType::integer}, {10, 20}), "-10");
    EXPECT_EQ(value({.name = "silent", .type = FieldType::boolean}), "true");
    EXPECT_EQ(value({.name = "has_sound", .type = FieldType::boolean}), "false");
    EXPECT_EQ(value({.name = "on_screen_text"}), R"("Hello \"World\"")");
    EXPECT_EQ(value({.name = "ocr", .type = FieldType::array}, {10, 20}), "[]");
    EXPECT_EQ(value({.name = "has_text", .type = FieldType::boolean}), "true");
    EXPECT_EQ(value({.name = "shot", .type = FieldType::integer}, {10, 20}), "2");
    EXPECT_EQ(value({.name = "words", .description = "All on-screen text that is readable"}),
              R"("Hello \"World\"")");
    EXPECT_EQ(value({.name = "shot_end", .type = FieldType::timestamp, .time_format = core::TimeFormat::hms}),
              R"("00:00:10")");
}

TEST(Fields, WhatWasNotMeasuredIsLeftOut) {
    using core::FieldType;
    EXPECT_EQ(value({.name = "mood"}), "nothing");
    EXPECT_EQ(value({.name = "camera_motion", .description = "pan, tilt or zoom"}), "nothing");
    EXPECT_EQ(value({.name = "motion", .allowed = {"pan", "tilt"}}), "nothing");
    EXPECT_EQ(value({.name = "color", .type = FieldType::number}), "nothing");
    Findings blind = a_film();
    blind.text_problem = "no reader";
    EXPECT_FALSE(field_value(blind, {.name = "text"}, {0, 10}));
}

TEST(Report, ControlCharactersOfAPictureDoNotReachTheReader) {
    Findings findings = a_film();
    findings.texts = {{{2, 4}, "a\x1b[2Jb"}};
    std::string all;
    for (const std::string& section : write_report(findings, {}, {})) all += section;
    EXPECT_EQ(all.find('\x1b'), std::string::npos);
}

TEST(Report, IsCutBetweenCharacters) {
    const Cut cut = cut_to_length({"abc", "d\xc3\xa9\xc3\xa9"}, 1);
    EXPECT_THAT(cut.sections, ElementsAre("abc", "d"));
    const Cut within = cut_to_length({"abcdef\xc3\xa9"}, 2);
    EXPECT_EQ(within.finish, core::FinishReason::stop);
    EXPECT_THAT(cut_to_length({"abcdefg\xc3\xa9"}, 2).sections, ElementsAre("abcdefg"));
}

}  // namespace
}  // namespace sheaf::backend::scene
