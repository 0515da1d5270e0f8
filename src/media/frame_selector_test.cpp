#include "media/frame_selector.h"

#include <vector>

#include <gtest/gtest.h>

namespace sheaf::media {
namespace {

std::vector<double> pick(const Sampling& sampling, double from, double to, double every) {
    FrameSelector selector(sampling);
    std::vector<double> taken;
    for (int n = 0; from + n * every < to - 1e-9; ++n) {
        if (selector.take(from + n * every)) taken.push_back(from + n * every);
    }
    return taken;
}

TEST(FrameSelector, TakesTheFrameAtEachWantedMoment) {
    const auto plan = plan_sampling({.frames_per_second = 1}, {.start = 0, .end = 5, .fps = 25});
    EXPECT_EQ(pick(plan, 0, 5, 0.04).size(), 5U);
}

TEST(FrameSelector, ALowerSourceRateGivesWhatThereIs) {
    const auto plan = plan_sampling({.frames_per_second = 10}, {.start = 0, .end = 5, .fps = 2});
    EXPECT_EQ(pick(plan, 0, 5, 0.5).size(), 10U);
}

TEST(FrameSelector, TheWindowIsHalfOpen) {
    const auto plan =
        plan_sampling({.start = 1, .end = 2, .frames_per_second = 0}, {.start = 0, .end = 5, .fps = 4});
    EXPECT_EQ(pick(plan, 0, 5, 0.25), (std::vector<double>{1, 1.25, 1.5, 1.75}));
}

TEST(FrameSelector, ACountLowersTheRateOverTheWholeWindow) {
    const auto plan =
        plan_sampling({.frames_per_second = 2, .count_max = 10}, {.start = 5, .end = 105, .fps = 25});
    EXPECT_DOUBLE_EQ(plan.step, 10);
    const auto taken = pick(plan, 5, 105, 0.04);
    ASSERT_EQ(taken.size(), 10U);
    EXPECT_NEAR(taken.back(), 95, 0.021);
}

TEST(FrameSelector, NeverTakesMoreThanTheCountWhateverTheVideoDoes) {
    const auto plan =
        plan_sampling({.frames_per_second = 0, .count_max = 7}, {.start = 0, .end = 1, .fps = 5});
    EXPECT_LE(pick(plan, 0, 100, 0.01).size(), 7U);
}

TEST(FrameSelector, AWindowBeyondTheEndIsCoveredUpToTheEnd) {
    const auto plan =
        plan_sampling({.start = 0, .end = 1000, .count_max = 10}, {.start = 0, .end = 20, .fps = 25});
    EXPECT_DOUBLE_EQ(plan.step, 2);
}

TEST(FrameSelector, KeyFramesAreEnoughUpToAQuarterBeyondTheStep) {
    Sampling plan{.origin = 0, .step = 8};
    const std::vector<double> every_two{0, 2, 4, 6, 8, 10, 12, 14, 16, 18};
    EXPECT_TRUE(key_frames_are_enough(plan, every_two, 20));
    plan.step = 1.6;
    EXPECT_TRUE(key_frames_are_enough(plan, every_two, 20));
    plan.step = 1.5;
    EXPECT_FALSE(key_frames_are_enough(plan, every_two, 20));
}

TEST(FrameSelector, AShortWindowDoesNotHideHowFarKeyFramesAreApart) {
    const Sampling plan{.origin = 1, .step = 1, .from = 1, .until = 3};
    EXPECT_FALSE(key_frames_are_enough(plan, std::vector<double>{0, 2, 4}, 30));
    EXPECT_TRUE(key_frames_are_enough(plan, std::vector<double>{0, 1, 2, 3}, 30));
}

TEST(FrameSelector, OneHoleBetweenKeyFramesIsTooMuch) {
    const Sampling plan{.origin = 0, .step = 4};
    EXPECT_FALSE(key_frames_are_enough(plan, std::vector<double>{0, 2, 4, 12, 14}, 16));
    EXPECT_FALSE(key_frames_are_enough(plan, std::vector<double>{0, 2, 4}, 16));
    EXPECT_FALSE(key_frames_are_enough(plan, {}, 16));
}

TEST(FrameSelector, FittingKeepsTheRatioAndNeverEnlarges) {
    EXPECT_EQ(fit({1280, 720}, 336), (PictureSize{336, 190}));
    EXPECT_EQ(fit({720, 1280}, 336), (PictureSize{190, 336}));
    EXPECT_EQ(fit({320, 240}, 640), (PictureSize{320, 240}));
    EXPECT_EQ(fit({321, 241}, 640), (PictureSize{320, 240}));
    EXPECT_EQ(fit({10000, 2}, 100), (PictureSize{100, 2}));
}

}  // namespace
}  // namespace sheaf::media
