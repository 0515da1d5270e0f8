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

TEST(Probe, SoundAloneIsAudioAlsoWithACover) {
    const auto wav = clips::probe(clips::make("tone.wav", "-f lavfi -i sine=d=2 OUT"));
    ASSERT_TRUE(wav) << wav.error().message;
    EXPECT_EQ(wav->type, core::MediaType::audio);
    EXPECT_EQ(wav->mime_type, "audio/wav");
    EXPECT_NEAR(wav->duration_s.value_or(0), 2, 0.05);
    const auto cover = clips::make("cover.png", "-f lavfi -i testsrc2=s=64x64 -frames:v 1 OUT");
    const auto mp3 =
        clips::probe(clips::make("cover.mp3", "-f lavfi -i sine=d=3 -i " + cover.string() +
                                                  " -map 0 -map 1 -c:v copy -id3v2_version 3 OUT"));
    ASSERT_TRUE(mp3) << mp3.error().message;
    EXPECT_EQ(mp3->type, core::MediaType::audio);
    EXPECT_EQ(mp3->mime_type, "audio/mpeg");
    EXPECT_TRUE(mp3->video.empty());
    EXPECT_NEAR(mp3->duration_s.value_or(0), 3, 0.15);
    for (const std::string name : {"tone.flac", "tone.ogg", "tone.m4a", "tone.aac"}) {
        const auto info = clips::probe(clips::make(name, "-f lavfi -i sine=d=2 OUT"));
        ASSERT_TRUE(info) << name << info.error().message;
        EXPECT_EQ(info->type, core::MediaType::audio) << name;
        EXPECT_NEAR(info->duration_s.value_or(0), 2, 0.15) << name;
    }
}

TEST(Probe, ImagesTellTheirSizeAndFormat) {
    for (const auto& [name, format] : {std::pair{"i.png", "png"},
                                       {"i.jpg", "jpeg"},
                                       {"i.webp", "webp"},
                                       {"i.gif", "gif"},
                                       {"i.bmp", "bmp"}}) {
        const auto info = clips::probe(clips::make(name, "-f lavfi -i testsrc2=s=128x96 -frames:v 1 OUT"));
        ASSERT_TRUE(info) << name << info.error().message;
        EXPECT_EQ(info->type, core::MediaType::image) << name;
        EXPECT_EQ(info->image_width, 128) << name;
        EXPECT_EQ(info->image_height, 96) << name;
        EXPECT_EQ(info->image_format, format) << name;
        EXPECT_EQ(info->mime_type, std::string("image/") + format);
        EXPECT_TRUE(info->video.empty());
    }
}

TEST(Probe, HdrDepthLanguageAndCreationTimeAreRead) {
    const auto info = clips::probe(clips::make("hdr.mkv",
                                               "-f lavfi -i testsrc2=s=160x120:d=1 -f lavfi -i sine=d=1 -c:v "
                                               "libx265 -x265-params log-level=none -pix_fmt "
                                               "yuv420p10le -color_trc smpte2084 -color_primaries bt2020 "
                                               "-colorspace bt2020nc -metadata:s:a:0 language=deu "
                                               "-metadata creation_time=2024-05-06T07:08:09Z OUT"));
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_TRUE(info->video.front().is_hdr);
    EXPECT_EQ(info->video.front().bit_depth, 10);
    EXPECT_EQ(info->video.front().pixel_format, "yuv420p10le");
    EXPECT_EQ(info->audio.front().language, "deu");
    EXPECT_EQ(info->creation_time, "2024-05-06T07:08:09.000Z");
    EXPECT_EQ(info->mime_type, "video/x-matroska");
}

TEST(Probe, ALengthThatTheHeaderInventsIsCorrected) {
    auto bytes = clips::read(clips::plain());
    const auto multiply = [&bytes](std::string_view box, std::size_t at) {
        for (std::size_t place = bytes.find(box); place != std::string::npos;
             place = bytes.find(box, place + 4)) {
            // Thirty seconds become some hours.
            bytes[place + 4 + at + 1] = static_cast<char>(bytes[place + 4 + at + 1] | 0x40);
        }
    };
    multiply("mvhd", 16);
    multiply("mdhd", 16);
    multiply("tkhd", 20);
    const auto info = clips::probe(clips::write("lying.mp4", bytes));
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_NEAR(info->duration_s.value_or(0), 30, 0.5);
    EXPECT_NEAR(info->video.front().duration_s.value_or(0), 30, 0.5);
}

TEST(Probe, AStreamedFileWithoutALengthGetsTheOneItHas) {
    const auto clip =
        clips::make("live.mkv", "-i " + clips::plain().string() + " -c copy -live 1 -f matroska OUT");
    const auto info = clips::probe(clip);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_NEAR(info->duration_s.value_or(0), 30, 0.3);
}

TEST(Probe, ACutFileHasTheLengthThatIsLeft) {
    const auto whole =
        clips::make("fast.mp4", "-i " + clips::plain().string() + " -c copy -movflags +faststart OUT");
    const auto bytes = clips::read(whole);
    const auto info =
        clips::probe(clips::write("cut.mp4", std::string_view(bytes).substr(0, bytes.size() / 2)));
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_GT(info->duration_s.value_or(0), 10);
    EXPECT_LT(info->duration_s.value_or(0), 22);
}

}  // namespace
}  // namespace sheaf::media
