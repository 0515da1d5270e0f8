#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/task_group.h"
#include "base/check.h"
#include "media/video.h"

// What every Media promises. An implementation brings one file, of a video of at least 10 s with sound, and
// passes:
//
//   INSTANTIATE_TEST_SUITE_P(Ffmpeg, MediaConformance, testing::Values(MediaCase{"ffmpeg", make}));
namespace sheaf::media {

struct MediaUnderTest {
    std::unique_ptr<Media> media;
    std::shared_ptr<const blob::BlobFile> file;
};
struct MediaCase {
    std::string name;
    std::function<MediaUnderTest()> make;
};

class MediaConformance : public testing::TestWithParam<MediaCase> {
protected:
    MediaConformance() : under_test_(GetParam().make()), media_(*under_test_.media) {}

    template <class T>
    static T wait(async::Task<T> task) {
        boost::asio::io_context io;
        std::optional<T> value;
        async::TaskGroup group(io.get_executor());
        group.spawn(keep(std::move(task), value));
        io.run();
        CHECK(value, "the coroutine ended");
        return std::move(*value);
    }
    template <class T>
    static async::Task<> keep(async::Task<T> task, std::optional<T>& to) {
        to.emplace(co_await std::move(task));
    }

    std::shared_ptr<Video> open(std::string key = "a") {
        auto info = wait(media_.probe(under_test_.file));
        CHECK(info, "the file of the suite can be probed");
        return media_.open(std::move(key), under_test_.file, std::move(*info));
    }

    MediaUnderTest under_test_;
    Media& media_;
};

TEST_P(MediaConformance, AProbeTellsTypeLengthAndStreams) {
    const auto info = wait(media_.probe(under_test_.file));
    ASSERT_TRUE(info);
    EXPECT_EQ(info->type, core::MediaType::video);
    EXPECT_GE(info->duration_s.value_or(0), 10);
    ASSERT_FALSE(info->video.empty());
    EXPECT_GT(info->video.front().width, 0);
    EXPECT_GT(info->video.front().fps, 0);
    EXPECT_FALSE(info->audio.empty());
    EXPECT_EQ(media_.stats().probes, 1U);
}

TEST_P(MediaConformance, FramesRiseInTimeAndLieInTheHalfOpenWindow) {
    const auto set = wait(open()->frames({.start = 2, .end = 6, .frames_per_second = 2}));
    ASSERT_TRUE(set);
    const auto& frames = (*set)->frames;
    ASSERT_EQ(frames.size(), 8U);
    EXPECT_DOUBLE_EQ(frames.front().time, 2);
    for (std::size_t n = 0; n < frames.size(); ++n) {
        EXPECT_NEAR(frames[n].time, 2 + 0.5 * static_cast<double>(n), 0.021);
        EXPECT_LT(frames[n].time, 6);
    }
}

TEST_P(MediaConformance, ALimitOnTheCountCoversTheWindowEvenly) {
    const auto set = wait(open()->frames({.start = 0, .end = 10, .frames_per_second = 0, .count_max = 5}));
    ASSERT_TRUE(set);
    ASSERT_EQ((*set)->frames.size(), 5U);
    for (std::size_t n = 0; n < 5; ++n)
        EXPECT_NEAR((*set)->frames[n].time, 2.0 * static_cast<double>(n), 0.05);
}

TEST_P(MediaConformance, RawFramesHaveTheSizeTheyTell) {
    for (const auto format : {PixelFormat::rgb24, PixelFormat::gray8}) {
        const auto set = wait(open()->frames({.start = 1, .end = 3, .long_edge_max = 64, .format = format}));
        ASSERT_TRUE(set);
        ASSERT_EQ((*set)->frames.size(), 2U);
        const auto& frame = (*set)->frames.front();
        EXPECT_EQ(std::max(frame.width, frame.height), 64);
        const auto pixels = static_cast<std::size_t>(frame.width) * static_cast<std::size_t>(frame.height);
        EXPECT_EQ(frame.bytes.size(), pixels * (format == PixelFormat::rgb24 ? 3 : 1));
    }
}

TEST_P(MediaConformance, JpegFramesAreJpegFiles) {
    const auto set = wait(open()->frames({.start = 0, .end = 2}));
    ASSERT_TRUE(set);
    for (const auto& frame : (*set)->frames) {
        EXPECT_TRUE(frame.bytes.starts_with("\xff\xd8"));
        EXPECT_TRUE(frame.bytes.ends_with("\xff\xd9"));
    }
}

TEST_P(MediaConformance, AWindowBehindTheEndIsEmpty) {
    const auto set = wait(open()->frames({.start = 1000, .end = 1010}));
    ASSERT_TRUE(set);
    EXPECT_TRUE((*set)->frames.empty());
}

TEST_P(MediaConformance, RequestsWithoutSenseAreInvalid) {
    const auto video = open();
    for (const FrameRequest& request : std::vector<FrameRequest>{
             {.start = 5, .end = 5},
             {.start = std::nan("")},
             {.frames_per_second = -1},
             {.frames_per_second = std::numeric_limits<double>::infinity()},
             {.long_edge_max = 0},
             {.jpeg_quality = 101},
         }) {
        const auto set = wait(video->frames(request));
        ASSERT_FALSE(set);
        EXPECT_EQ(set.error().code, ErrorCode::invalid);
        EXPECT_FALSE(set.error().field.empty());
    }
}

TEST_P(MediaConformance, TheSameQuestionTwiceIsDecodedOnce) {
    const auto video = open();
    const auto first = wait(video->frames({.start = 0, .end = 4}));
    const auto again = wait(open()->frames({.start = 0, .end = 4}));
    ASSERT_TRUE(first && again);
    EXPECT_EQ(first->get(), again->get());
    EXPECT_EQ(media_.stats().decodes, 1U);
    EXPECT_EQ(media_.stats().cache_hits, 1U);
    EXPECT_GT(media_.stats().cache_bytes, 0U);
    ASSERT_TRUE(wait(open("another")->frames({.start = 0, .end = 4})));
    EXPECT_EQ(media_.stats().decodes, 2U);
}

TEST_P(MediaConformance, ManyAskersAtOnceShareOneDecode) {
    const auto video = open();
    boost::asio::io_context io;
    async::TaskGroup group(io.get_executor());
    std::vector<std::optional<Result<std::shared_ptr<const FrameSet>>>> sets(20);
    for (auto& set : sets) group.spawn(keep(video->frames({.start = 0, .end = 4}), set));
    io.run();
    for (const auto& set : sets) {
        ASSERT_TRUE(set && *set);
        EXPECT_EQ((**set).get(), (**sets.front()).get());
    }
    EXPECT_EQ(media_.stats().decodes, 1U);
}

TEST_P(MediaConformance, LoudnessCoversTheSound) {
    const auto video = open();
    const auto loudness = wait(video->loudness());
    ASSERT_TRUE(loudness);
    const double covered = static_cast<double>(loudness->dbfs.size()) * loudness->window_s;
    EXPECT_NEAR(covered, video->info().duration_s.value_or(0), 0.5);
    for (const float level : loudness->dbfs) {
        EXPECT_GE(level, -100.0F);
        EXPECT_LE(level, 3.0F);
    }
}

}  // namespace sheaf::media
