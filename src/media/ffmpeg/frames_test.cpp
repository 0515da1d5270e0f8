#include "media/ffmpeg/frames.h"

#include <gtest/gtest.h>

#include "media/ffmpeg/clip_test.h"

namespace sheaf::media {
namespace {

TEST(Frames, ComeAtTheAskedRateWithTheirTimes) {
    const auto set = clips::frames(clips::plain(), {.mode = DecodeMode::all});
    ASSERT_TRUE(set) << set.error().message;
    ASSERT_EQ((*set)->frames.size(), 30U);
    EXPECT_FALSE((*set)->key_frames_only);
    for (std::size_t n = 0; n < 30; ++n) EXPECT_NEAR((*set)->frames[n].time, static_cast<double>(n), 0.02);
}

}  // namespace
}  // namespace sheaf::media
