#include "media/ffmpeg/probe.h"

#include <gtest/gtest.h>

#include "media/ffmpeg/clip_test.h"

namespace sheaf::media {
namespace {

TEST(Probe, AnMp4TellsAllOfItself) {
    const auto info = clips::probe(clips::plain());
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->type, core::MediaType::video);
    EXPECT_EQ(info->mime_type, "video/mp4");
    ASSERT_EQ(info->video.size(), 1U);
    const auto& video = info->video.front();
    EXPECT_EQ(video.codec, "h264");
    EXPECT_EQ(video.width, 320);
    EXPECT_EQ(video.height, 240);
    EXPECT_DOUBLE_EQ(video.fps, 25);
    EXPECT_NEAR(video.avg_fps, 25, 0.1);
    EXPECT_NEAR(info->duration_s.value_or(0), 30, 0.2);
    EXPECT_NEAR(video.duration_s.value_or(0), 30, 0.1);
    EXPECT_EQ(video.pixel_format, "yuv420p");
    EXPECT_EQ(video.bit_depth, 8);
    EXPECT_FALSE(video.is_hdr);
    EXPECT_EQ(video.rotation, 0);
    EXPECT_EQ(video.sample_aspect_ratio, "1:1");
    ASSERT_EQ(info->audio.size(), 1U);
    EXPECT_EQ(info->audio.front().codec, "aac");
    EXPECT_EQ(info->audio.front().sample_rate, 44100);
    EXPECT_EQ(info->audio.front().channels, 1);
    EXPECT_EQ(info->audio.front().channel_layout, "mono");
}

}  // namespace
}  // namespace sheaf::media
