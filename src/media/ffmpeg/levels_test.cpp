#include "media/ffmpeg/levels.h"

#include <gtest/gtest.h>

#include "media/ffmpeg/clip_test.h"

namespace sheaf::media {
namespace {

TEST(Levels, AToneWithSilencesHasItsLevelAndTheSilences) {
    // ffmpeg's sine has an eighth of full scale: -18.06 dB at its peaks, 3.01 less as RMS.
    const auto clip = clips::make(
        "silences.wav", "-f lavfi -i sine=frequency=440:d=6 -af volume=0:enable='between(t,2,4)' OUT");
    const auto loudness = clips::loudness(clip);
    ASSERT_TRUE(loudness) << loudness.error().message;
    EXPECT_DOUBLE_EQ(loudness->window_s, 0.1);
    ASSERT_EQ(loudness->dbfs.size(), 60U);
    for (std::size_t n = 0; n < 60; ++n) {
        if (n >= 21 && n < 39) {
            EXPECT_EQ(loudness->dbfs[n], -100.0F) << n;
        } else if (n < 19 || n > 41) {
            EXPECT_NEAR(loudness->dbfs[n], -21.07, 0.3) << n;
        }
    }
}

TEST(Levels, AllChannelsCountTheSame) {
    // One channel of two: half the amplitude, 6.02 dB less.
    const auto clip = clips::make("left.wav", "-f lavfi -i sine=d=2 -af pan=stereo|c0=c0|c1=0*c0 OUT");
    const auto loudness = clips::loudness(clip);
    ASSERT_TRUE(loudness) << loudness.error().message;
    EXPECT_NEAR(loudness->dbfs.at(10), -27.09, 0.3);
}

TEST(Levels, SoundOfAVideoIsMeasuredFromItsStart) {
    const auto loudness = clips::loudness(clips::plain());
    ASSERT_TRUE(loudness) << loudness.error().message;
    EXPECT_NEAR(loudness->start, 0, 0.05);
    EXPECT_NEAR(static_cast<double>(loudness->dbfs.size()), 300, 3);
    EXPECT_NEAR(loudness->dbfs.at(100), -21.07, 0.5);
}

TEST(Levels, AFileWithoutSoundIsInvalid) {
    const auto clip = clips::make("silent.mp4", "-f lavfi -i testsrc2=s=160x120:d=1 -c:v libx264 OUT");
    const auto loudness = clips::loudness(clip);
    ASSERT_FALSE(loudness);
    EXPECT_EQ(loudness.error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace sheaf::media
