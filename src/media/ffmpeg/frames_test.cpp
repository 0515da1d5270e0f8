#include "media/ffmpeg/frames.h"

#include <cmath>

#include <gtest/gtest.h>

#include "media/ffmpeg/clip_test.h"
#include "media/ffmpeg/libav.h"

namespace sheaf::media {
namespace {

std::vector<double> times_of(const Result<std::shared_ptr<const FrameSet>>& set) {
    std::vector<double> times;
    if (!set) {
        ADD_FAILURE() << set.error().message;
        return times;
    }
    for (const auto& frame : (*set)->frames) times.push_back(frame.time);
    return times;
}

void expect_every(const std::vector<double>& times, double from, double step, std::size_t count,
                  double tolerance) {
    ASSERT_EQ(times.size(), count);
    for (std::size_t n = 0; n < count; ++n) {
        EXPECT_NEAR(times[n], from + step * static_cast<double>(n), tolerance) << n;
    }
}

// The size that FFmpeg's own decoder finds in a JPEG file.
std::pair<int, int> decode_jpeg(const std::string& bytes) {
    const libav::CodecPtr decoder(avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG)));
    const libav::PacketPtr packet(av_packet_alloc());
    const libav::FramePtr frame(av_frame_alloc());
    if (avcodec_open2(decoder.get(), nullptr, nullptr) < 0) return {};
    if (av_new_packet(packet.get(), static_cast<int>(bytes.size())) < 0) return {};
    std::memcpy(packet->data, bytes.data(), bytes.size());
    if (avcodec_send_packet(decoder.get(), packet.get()) < 0) return {};
    if (avcodec_send_packet(decoder.get(), nullptr) < 0) return {};
    if (avcodec_receive_frame(decoder.get(), frame.get()) < 0) return {};
    return {frame->width, frame->height};
}

TEST(Frames, ComeAtTheAskedRateWithTheirTimes) {
    for (const auto mode : {DecodeMode::all, DecodeMode::automatic}) {
        const auto set = clips::frames(clips::plain(), {.mode = mode});
        expect_every(times_of(set), 0, 1, 30, 0.02);
        EXPECT_FALSE((*set)->key_frames_only);
    }
}

TEST(Frames, SkippingWhatIsNotWantedChangesNoFrame) {
    const FrameRequest request{.start = 3, .end = 12, .frames_per_second = 1.5, .format = PixelFormat::gray8};
    auto all = request;
    all.mode = DecodeMode::all;
    const auto some = clips::frames(clips::plain(), request);
    const auto every = clips::frames(clips::plain(), all);
    ASSERT_TRUE(some && every);
    ASSERT_EQ(times_of(some), times_of(every));
    for (std::size_t n = 0; n < (*every)->frames.size(); ++n) {
        EXPECT_EQ((*some)->frames[n].bytes, (*every)->frames[n].bytes) << n;
    }
    EXPECT_LT((*some)->frames_decoded, (*every)->frames_decoded);
}

TEST(Frames, EveryFrameOfAWindowComesOnce) {
    const auto set = clips::frames(clips::plain(), {.start = 4.5, .end = 5.5, .frames_per_second = 0});
    expect_every(times_of(set), 4.52, 0.04, 25, 0.02);
}

TEST(Frames, KeyFramesAreTakenWhereTheyAreDenseEnough) {
    const auto sparse = clips::frames(clips::plain(), {.frames_per_second = 1.0 / 8});
    expect_every(times_of(sparse), 0, 8, 4, 1e-6);
    EXPECT_TRUE((*sparse)->key_frames_only);
    EXPECT_LE((*sparse)->frames_decoded, 4U);
    const auto half = clips::frames(clips::plain(), {.frames_per_second = 0.5});
    expect_every(times_of(half), 0, 2, 15, 1e-6);
    EXPECT_TRUE((*half)->key_frames_only);
}

TEST(Frames, KeyFramesShowTheSameAsAFullDecode) {
    FrameRequest request{.start = 6, .frames_per_second = 0.25, .format = PixelFormat::gray8};
    const auto keys = clips::frames(clips::plain(), request);
    request.mode = DecodeMode::all;
    const auto every = clips::frames(clips::plain(), request);
    ASSERT_EQ(times_of(keys), times_of(every));
    EXPECT_TRUE((*keys)->key_frames_only);
    for (std::size_t n = 0; n < (*every)->frames.size(); ++n) {
        EXPECT_EQ((*keys)->frames[n].bytes, (*every)->frames[n].bytes) << n;
    }
}

TEST(Frames, OtherContainersGiveTheSameTimes) {
    for (const std::string name : {"remuxed.mkv", "remuxed.ts", "remuxed.mov", "remuxed.flv"}) {
        const auto clip = clips::make(name, "-i " + clips::plain().string() + " -c copy -copyts OUT");
        const auto info = clips::probe(clip);
        ASSERT_TRUE(info) << name << info.error().message;
        const double start = info->video.front().start_s;
        EXPECT_NEAR(info->duration_s.value_or(0), 30, 0.3) << name;
        SCOPED_TRACE(name);
        expect_every(times_of(clips::frames(clip, {})), start, 1, 30, 0.03);
        expect_every(times_of(clips::frames(clip, {.frames_per_second = 0.25})), start, 4, 8, 0.03);
        expect_every(times_of(clips::frames(clip, {.start = start + 9, .end = start + 12})), start + 9, 1, 3,
                     0.03);
    }
}

TEST(Frames, OtherCodecsAreDecoded) {
    const auto webm =
        clips::make("clip.webm", "-f lavfi -i testsrc2=s=160x120:r=10:d=4 -c:v libvpx -b:v 300k OUT");
    expect_every(times_of(clips::frames(webm, {})), 0, 1, 4, 0.06);
    const auto avi = clips::make("clip.avi", "-f lavfi -i testsrc2=s=160x120:r=10:d=4 -c:v mpeg4 -bf 2 OUT");
    ASSERT_EQ(times_of(clips::frames(avi, {})).size(), 4U);
    const auto mjpeg = clips::make("mjpeg.mov", "-f lavfi -i testsrc2=s=160x120:r=10:d=4 -c:v mjpeg OUT");
    expect_every(times_of(clips::frames(mjpeg, {.frames_per_second = 2})), 0, 0.5, 8, 0.06);
}

TEST(Frames, AStartTimeOfTheContainerIsKept) {
    const auto clip =
        clips::make("late.ts",
                    "-f lavfi -i testsrc2=s=160x120:r=25:d=6 -c:v libx264 -preset ultrafast -g 25 "
                    "-output_ts_offset 100 OUT");
    const auto info = clips::probe(clip);
    ASSERT_TRUE(info);
    EXPECT_GT(info->start_s, 100);
    const double start = info->video.front().start_s;
    const auto times = times_of(clips::frames(clip, {}));
    expect_every(times, start, 1, 6, 0.03);
    const auto part = times_of(clips::frames(clip, {.start = start + 2, .end = start + 4}));
    expect_every(part, start + 2, 1, 2, 0.03);
}

TEST(Frames, AVaryingRateGivesWhatThereIsInTheWindow) {
    const auto clip =
        clips::make("vfr.mp4",
                    "-f lavfi -i testsrc2=s=160x120:r=25:d=10 -vf select='lt(t,3)+not(mod(n,50))' -vsync "
                    "vfr -c:v libx264 -preset ultrafast OUT");
    const auto times = times_of(clips::frames(clip, {.frames_per_second = 2, .mode = DecodeMode::all}));
    ASSERT_GE(times.size(), 9U);
    for (std::size_t n = 1; n < times.size(); ++n) EXPECT_GT(times[n], times[n - 1] + 0.3);
    EXPECT_EQ(times, times_of(clips::frames(clip, {.frames_per_second = 2})));
}

TEST(Frames, ARotatedVideoStandsUpright) {
    const auto flat =
        clips::make("flat.mp4", "-f lavfi -i testsrc2=s=320x240:r=10:d=2 -c:v libx264 -preset ultrafast OUT");
    const auto clip =
        clips::make("rotated.mp4", "-i " + flat.string() + " -c copy -metadata:s:v:0 rotate=90 OUT");
    const auto info = clips::probe(clip);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->video.front().width, 240);
    EXPECT_EQ(info->video.front().height, 320);
    EXPECT_TRUE(info->video.front().rotation == 90 || info->video.front().rotation == 270);
    const FrameRequest request{.end = 0.05, .frames_per_second = 0, .format = PixelFormat::gray8};
    const auto upright = clips::frames(clip, request);
    ASSERT_TRUE(upright);
    const auto turned =
        clips::make("turned.gray", "-i " + clip.string() + " -frames:v 1 -pix_fmt gray -f rawvideo OUT");
    const auto expected = clips::read(turned);
    const auto& frame = (*upright)->frames.at(0);
    EXPECT_EQ(frame.width, 240);
    EXPECT_EQ(frame.height, 320);
    ASSERT_EQ(frame.bytes.size(), expected.size());
    double difference = 0;
    for (std::size_t n = 0; n < expected.size(); ++n) {
        difference +=
            std::abs(static_cast<unsigned char>(frame.bytes[n]) - static_cast<unsigned char>(expected[n]));
    }
    // ffmpeg keeps or widens the range depending on its version; a wrong turn is off by far more.
    EXPECT_LT(difference / static_cast<double>(expected.size()), 20);
}

TEST(Frames, JpegFilesCanBeDecodedAndHaveTheToldSize) {
    const auto set = clips::frames(clips::plain(), {.end = 3, .long_edge_max = 200});
    ASSERT_TRUE(set);
    for (const auto& frame : (*set)->frames) {
        EXPECT_EQ(frame.width, 200);
        EXPECT_EQ(frame.height, 150);
        EXPECT_EQ(decode_jpeg(frame.bytes), std::pair(200, 150));
    }
}

TEST(Frames, AFileWithoutVideoIsInvalid) {
    const auto sound = clips::make("sound.wav", "-f lavfi -i sine=d=1 OUT");
    const auto set = clips::frames(sound, {});
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().code, ErrorCode::invalid);
}

TEST(Frames, TooMuchForOneAnswerIsTooLarge) {
    auto options = clips::options();
    options.output_bytes_max = 100'000;
    const auto media = make_ffmpeg_media(options);
    const auto file = clips::open(clips::plain());
    const auto video = media->open("a", file, clips::wait(media->probe(file)).value());
    const auto set = clips::wait(video->frames({.frames_per_second = 0}));
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace sheaf::media
