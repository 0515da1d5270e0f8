#include "scheduler/video_rules.h"

#include <gtest/gtest.h>

namespace sheaf::scheduler {
namespace {

media::MediaInfo a_video(int width, int height, double seconds) {
    media::MediaInfo info;
    info.type = core::MediaType::video;
    info.duration_s = seconds;
    info.video.push_back({.width = width, .height = height});
    return info;
}

std::string fault_of(const media::MediaInfo& info, const core::VideoAnalysis& analysis = {}) {
    const auto fault = find_video_fault(info, analysis, {});
    return fault ? fault->code : "none";
}

TEST(VideoRules, TheLimitsThemselvesAreAllowed) {
    EXPECT_EQ(fault_of(a_video(360, 360, 4)), "none");
    EXPECT_EQ(fault_of(a_video(5184, 2160, 7200)), "none");
    EXPECT_EQ(fault_of(a_video(864, 360, 60)), "none") << "2.4 to 1";
    EXPECT_EQ(fault_of(a_video(360, 864, 60)), "none") << "upright";
}

TEST(VideoRules, WhatPassesALimitIsNamed) {
    EXPECT_EQ(fault_of(a_video(640, 360, 3.9)), "video_duration_too_short");
    EXPECT_EQ(fault_of(a_video(640, 360, 7201)), "video_duration_too_long");
    EXPECT_EQ(fault_of(a_video(640, 359, 60)), "video_resolution_too_low");
    EXPECT_EQ(fault_of(a_video(5186, 2160, 60)), "video_resolution_too_high");
    EXPECT_EQ(fault_of(a_video(3000, 2200, 60)), "video_resolution_too_high");
    EXPECT_EQ(fault_of(a_video(868, 360, 60)), "video_resolution_invalid_aspect_ratio");
}

TEST(VideoRules, AFileWithoutAPictureIsBroken) {
    media::MediaInfo sound;
    sound.type = core::MediaType::audio;
    sound.duration_s = 60;
    EXPECT_EQ(fault_of(sound), "video_file_broken");
    media::MediaInfo endless = a_video(640, 360, 60);
    endless.duration_s.reset();
    EXPECT_EQ(fault_of(endless), "video_file_broken");
}

TEST(VideoRules, AWindowMustLieInTheVideo) {
    core::VideoAnalysis analysis;
    analysis.start_time = 59;
    EXPECT_EQ(fault_of(a_video(640, 360, 60), analysis), "none");
    analysis.start_time = 60;
    EXPECT_EQ(fault_of(a_video(640, 360, 60), analysis), "analysis_failed");
    analysis.start_time = 10;
    analysis.end_time = 60.5;
    EXPECT_EQ(fault_of(a_video(640, 360, 60), analysis), "none") << "containers round";
    analysis.end_time = 70;
    EXPECT_EQ(fault_of(a_video(640, 360, 60), analysis), "analysis_failed");
}

TEST(VideoRules, TimeRangesMustLieInTheVideo) {
    core::VideoAnalysis analysis;
    analysis.output = core::SegmentsOutput{.definitions = {{.id = "a", .ranges = {{0, 10}, {50, 70}}}}};
    EXPECT_EQ(fault_of(a_video(640, 360, 60), analysis), "analysis_failed");
    EXPECT_EQ(fault_of(a_video(640, 360, 80), analysis), "none");
}

}  // namespace
}  // namespace sheaf::scheduler
