// Files and workers that mean harm, or are broken: always an error in good time, and no process left behind.
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "async/timer.h"
#include "media/ffmpeg/clip_test.h"
#include "media/ffmpeg/wire.h"

namespace sheaf::media {
namespace {

// Nothing to reap: no child of ours is left, dead or alive.
void expect_no_children() {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
}

// Whatever it is, it may be an answer or an error of the file, never ours.
void expect_clean(const std::filesystem::path& path) {
    SCOPED_TRACE(path.filename().string());
    const auto info = clips::probe(path);
    if (!info) {
        EXPECT_TRUE(info.error().code == ErrorCode::invalid || info.error().code == ErrorCode::too_large)
            << to_string(info.error().code) << ": " << info.error().message;
        EXPECT_FALSE(info.error().message.empty());
    }
    const auto media = make_ffmpeg_media(clips::options());
    const auto video = media->open("x", clips::open(path), {});
    const auto frames = clips::wait(video->frames({.count_max = 5}));
    if (!frames) {
        EXPECT_TRUE(frames.error().code == ErrorCode::invalid || frames.error().code == ErrorCode::too_large)
            << to_string(frames.error().code) << ": " << frames.error().message;
    }
    const auto loudness = clips::wait(video->loudness());
    if (!loudness) {
        EXPECT_TRUE(loudness.error().code == ErrorCode::invalid ||
                    loudness.error().code == ErrorCode::too_large)
            << to_string(loudness.error().code) << ": " << loudness.error().message;
    }
    expect_no_children();
}

void expect_invalid(const std::filesystem::path& path) {
    SCOPED_TRACE(path.filename().string());
    const auto info = clips::probe(path);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, ErrorCode::invalid) << info.error().message;
    expect_no_children();
}

TEST(HostileFiles, CutAnywhere) {
    const auto small =
        clips::make("small.mp4",
                    "-f lavfi -i testsrc2=s=160x120:r=10:d=2 -f lavfi -i sine=d=2 -c:v libx264 -movflags "
                    "+faststart OUT");
    const auto bytes = clips::read(small);
    for (std::size_t n = 1; n <= 20; ++n) {
        expect_clean(clips::write("cut" + std::to_string(n),
                                  std::string_view(bytes).substr(0, bytes.size() * n / 21)));
    }
}

TEST(HostileFiles, BytesChangedAnywhere) {
    const auto small = clips::make(
        "small.mkv", "-f lavfi -i testsrc2=s=160x120:r=10:d=2 -f lavfi -i sine=d=2 -c:v libx264 OUT");
    const auto bytes = clips::read(small);
    std::mt19937 random(7);
    for (int n = 0; n < 10; ++n) {
        auto changed = bytes;
        for (int k = 0; k < 30; ++k) changed[random() % changed.size()] = static_cast<char>(random());
        expect_clean(clips::write("changed" + std::to_string(n), changed));
    }
}

TEST(HostileFiles, NoMediaAtAll) {
    expect_invalid(clips::write("empty", ""));
    expect_invalid(clips::write("one", "x"));
    expect_invalid(clips::write("zeros", std::string(100'000, '\0')));
    expect_invalid(clips::write("text.txt", "Once upon a time there was a file that was no video.\n"));
    expect_invalid(
        clips::write("page.html", "<html><body><video src='file:///etc/passwd'></video></body></html>"));
    std::mt19937 random(11);
    std::string noise(300'000, '\0');
    for (auto& byte : noise) byte = static_cast<char>(random());
    expect_invalid(clips::write("noise", noise));
}

TEST(HostileFiles, ListsOfOtherFilesAreRefused) {
    expect_invalid(clips::write(
        "list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"));
    expect_invalid(clips::write("concat.txt", "ffconcat version 1.0\nfile '/etc/passwd'\n"));
    expect_invalid(
        clips::write("session.sdp",
                     "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"
                     "a=rtpmap:96 H264/90000\n"));
    expect_invalid(clips::write(
        "list.mpd", "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"></MPD>"));
    expect_invalid(
        clips::write("drawing.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>"));
}

TEST(HostileFiles, PicturesOfEnormousSizeAreRefusedBeforeTheyAreDecoded) {
    auto png = clips::read(clips::make("big.png", "-f lavfi -i testsrc2=s=64x64 -frames:v 1 OUT"));
    for (std::size_t n = 16; n < 24; ++n) png[n] = static_cast<char>(n % 4 < 2 ? 0 : 0xff);
    expect_clean(clips::write("65535.png", png));
    auto mp4 = clips::read(clips::make("tiny.mp4", "-f lavfi -i testsrc2=s=64x64:d=1 -c:v libx264 OUT"));
    const auto box = mp4.find("avc1", mp4.find("stsd"));
    ASSERT_NE(box, std::string::npos);
    for (std::size_t n = 28; n < 32; ++n) mp4[box + n] = static_cast<char>(0xff);
    const auto path = clips::write("65535.mp4", mp4);
    expect_clean(path);
}

TEST(HostileFiles, AHugeFileOfHoles) {
    const auto path = clips::write("sparse", "");
    std::filesystem::resize_file(path, std::uintmax_t{4} << 30);
    expect_invalid(path);
    const auto head = clips::read(
        clips::make("fast.mp4", "-i " + clips::plain().string() + " -c copy -movflags +faststart OUT"));
    const auto video = clips::write("sparse.mp4", std::string_view(head).substr(0, head.size() / 3));
    std::filesystem::resize_file(video, std::uintmax_t{4} << 30);
    expect_clean(video);
}

class HostileWorkers : public testing::Test {
protected:
    static Result<MediaInfo> probe_by(std::vector<std::string> command) {
        auto options = clips::options();
        options.worker_command = std::move(command);
        options.wall_time_max = std::chrono::seconds(2);
        options.output_bytes_max = 1 << 20;
        const auto media = make_ffmpeg_media(options);
        const auto begin = std::chrono::steady_clock::now();
        auto info = clips::wait(media->probe(clips::open(clips::plain())));
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
        expect_no_children();
        return info;
    }
    static ErrorCode error_of(std::vector<std::string> command) {
        const auto info = probe_by(std::move(command));
        return info ? ErrorCode::not_found : info.error().code;
    }
};

TEST_F(HostileWorkers, Absent) {
    EXPECT_EQ(error_of({}), ErrorCode::unavailable);
    EXPECT_EQ(error_of({"/nonexistent/worker"}), ErrorCode::unavailable);
}
TEST_F(HostileWorkers, Silent) {
    EXPECT_EQ(error_of({"/bin/true"}), ErrorCode::unavailable);
}
TEST_F(HostileWorkers, TalkingNonsense) {
    EXPECT_EQ(error_of({"/bin/echo", "Hello, this is no answer."}), ErrorCode::internal);
    EXPECT_EQ(error_of({"/bin/echo", "-n", "x"}), ErrorCode::unavailable);
}
TEST_F(HostileWorkers, TalkingWithoutEnd) {
    EXPECT_EQ(error_of({"/bin/sh", "-c", "exec cat /dev/zero"}), ErrorCode::internal);
}
TEST_F(HostileWorkers, Hanging) {
    EXPECT_EQ(error_of({"/bin/sleep", "100"}), ErrorCode::timed_out);
}
TEST_F(HostileWorkers, HangingAfterClosingTheirOutput) {
    EXPECT_EQ(error_of({"/bin/sh", "-c", "exec >&-; exec sleep 100"}), ErrorCode::unavailable);
}
TEST_F(HostileWorkers, LeavingAnotherWithTheirOutput) {
    EXPECT_EQ(error_of({"/bin/sh", "-c", "sleep 100 & exit 0"}), ErrorCode::timed_out);
}
TEST_F(HostileWorkers, Killed) {
    EXPECT_EQ(error_of({"/bin/sh", "-c", "kill -KILL $$"}), ErrorCode::unavailable);
    EXPECT_EQ(error_of({"/bin/sh", "-c", "kill -SEGV $$"}), ErrorCode::invalid);
    EXPECT_EQ(error_of({"/bin/sh", "-c", "kill -XCPU $$"}), ErrorCode::timed_out);
}

TEST_F(HostileWorkers, ACanceledAskerEndsItsWorkerSoon) {
    auto options = clips::options();
    options.worker_command = {"/bin/sleep", "100"};
    const auto media = make_ffmpeg_media(options);
    const auto file = clips::open(clips::plain());
    const auto begin = std::chrono::steady_clock::now();
    boost::asio::io_context io;
    async::TaskGroup asking(io.get_executor());
    async::TaskGroup directing(io.get_executor());
    const auto ask = [](Media& to, std::shared_ptr<const blob::BlobFile> about) -> async::Task<> {
        co_await to.probe(std::move(about));
    };
    const auto direct = [](async::TaskGroup& group) -> async::Task<> {
        co_await async::sleep_for(std::chrono::milliseconds(200));
        group.stop();
        co_await group.wait_until_empty();
    };
    asking.spawn(ask(*media, file));
    directing.spawn(direct(asking));
    io.run();
    bool gone = false;
    for (int n = 0; n < 200 && !gone; ++n) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        // Looks without reaping: the media object does that.
        siginfo_t info{};
        gone = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
    }
    EXPECT_TRUE(gone);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

TEST(Wire, WhatWasEncodedIsParsedAndAnythingElseIsRefused) {
    wire::Job job;
    job.kind = wire::JobKind::frames;
    job.file_bytes = 77;
    job.request = {.start = 1.5, .count_max = 9};
    job.known_end = 12;
    const auto bytes = wire::encode(job);
    const auto parsed = wire::parse_job(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->request, job.request);
    EXPECT_EQ(parsed->file_bytes, 77U);
    EXPECT_EQ(parsed->known_end, job.known_end);
    for (std::size_t n = 0; n < bytes.size(); ++n)
        EXPECT_FALSE(wire::parse_job(std::string_view(bytes).substr(0, n)));
    EXPECT_FALSE(wire::parse_job(bytes + "x"));

    MediaInfo info;
    info.mime_type = "video/mp4";
    info.video.push_back({.codec = "h264", .width = 2, .height = 4});
    info.audio.push_back({.codec = "aac"});
    const auto told = wire::encode(info);
    ASSERT_TRUE(wire::parse_info(told));
    EXPECT_EQ(wire::parse_info(told)->video.front().height, 4);
    for (std::size_t n = 0; n < told.size(); ++n)
        EXPECT_FALSE(wire::parse_info(std::string_view(told).substr(0, n)));
    info.mime_type = "video/\n";
    EXPECT_FALSE(wire::parse_info(wire::encode(info)));
    EXPECT_FALSE(wire::parse_error(wire::encode(Error{ErrorCode::denied, "No.", {}})));
    EXPECT_TRUE(wire::parse_error(wire::encode(Error{ErrorCode::invalid, "No.", {}})));
}

TEST(Wire, RandomBytesAreNeverMoreThanAnError) {
    std::mt19937 random(3);
    for (int n = 0; n < 20'000; ++n) {
        std::string bytes(random() % 200, '\0');
        for (auto& byte : bytes) byte = static_cast<char>(random() % 7 == 0 ? random() : random() % 3);
        (void)wire::parse_job(bytes);
        (void)wire::parse_header(bytes);
        (void)wire::parse_info(bytes);
        (void)wire::parse_frame_head(bytes, 10, {});
        (void)wire::parse_levels(bytes);
        (void)wire::parse_end(bytes);
        (void)wire::parse_error(bytes);
    }
}

}  // namespace
}  // namespace sheaf::media
