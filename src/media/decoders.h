#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/blocking.h"
#include "media/video.h"

namespace sheaf::media {

struct FfmpegOptions {
    // The program and first arguments that run media_worker_main, such as {"/proc/self/exe", "media-worker"}.
    std::vector<std::string> worker_command;
    std::uint32_t workers_max = 2;                            // processes at once
    std::uint64_t memory_bytes_max = std::uint64_t{2} << 30;  // of address space, each
    std::chrono::seconds cpu_time_max{600};
    std::chrono::seconds wall_time_max{1200};
    std::uint64_t pixels_max = 8192ULL * 8192ULL;             // of one picture
    std::uint64_t output_bytes_max = std::uint64_t{1} << 30;  // of one answer
    std::uint64_t cache_bytes_max = std::uint64_t{256} << 20;
};

// FFmpeg's libraries in confined child processes.
std::unique_ptr<Media> make_ffmpeg_media(FfmpegOptions options);

struct TestPatternOptions {
    // What every file is said to be. Default: a minute of 640x360 video at 25 frames a second, with sound.
    std::optional<MediaInfo> info;
    std::optional<Error> probe_error;  // what probing gives instead
    double key_frames_every_s = 2;
};

// Frames made up from their time codes, the same at every run and without a decoder, a file or a thread: for
// tests of what uses a Media. Raw frames are patterns of the asked size; every JPEG is one tiny picture. The
// sound is at -20 dB but for the first second of every ten, which is silent.
std::unique_ptr<Media> make_test_pattern_media(TestPatternOptions options = {});

// What the child runs: one job read from `job` on standard input, the file on descriptor 3, the answer on
// standard output. Confines itself before it touches the file. Returns the exit code.
int media_worker_main();

}  // namespace sheaf::media
