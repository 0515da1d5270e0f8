#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/result.h"
#include "media/video.h"

// What the server and its media worker say to each other.
//
// The server writes one job to the worker's standard input and closes it. The worker answers with records:
// any number of `info`, `frame` and `levels`, then one `end` or `error`, then nothing. Both ends run on one
// machine from one program, so numbers are in the machine's order. Neither side trusts the other: everything
// is checked, and the server takes the answer of a worker for whatever a hostile file could make it say.
namespace sheaf::media::wire {

enum class JobKind : std::uint8_t { probe = 1, frames = 2, loudness = 3 };

struct Limits {
    std::uint64_t memory_bytes_max = 0;
    std::uint64_t cpu_s_max = 0;
    std::uint64_t pixels_max = 0;
    std::uint64_t output_bytes_max = 0;
};

struct Job {
    JobKind kind = JobKind::probe;
    Limits limits;
    std::uint64_t file_bytes = 0;
    FrameRequest request;               // of a frames job
    std::optional<double> known_start;  // of the video, where a probe has told
    std::optional<double> known_end;
};

inline constexpr std::size_t kJobBytesMax = 4096;

std::string encode(const Job& job);
Result<Job> parse_job(std::string_view bytes);

enum class RecordKind : std::uint8_t { info = 1, frame = 2, levels = 3, end = 4, error = 5 };

// A record is this, packed into kHeaderBytes, and then `bytes` bytes.
struct RecordHeader {
    RecordKind kind = RecordKind::end;
    std::uint32_t bytes = 0;
};

inline constexpr std::size_t kHeaderBytes = 5;
inline constexpr std::size_t kSmallRecordBytesMax = std::size_t{256} << 10;  // of all but frames
inline constexpr std::size_t kStreamsMax = 64;
inline constexpr std::size_t kLevelsPerRecord = 16384;
inline constexpr std::size_t kLevelsMax = 10'000'000;  // eleven days of sound

std::string encode(const RecordHeader& header);
Result<RecordHeader> parse_header(std::string_view bytes);

std::string encode(const MediaInfo& info);
Result<MediaInfo> parse_info(std::string_view bytes);

// What stands before a frame's bytes in its record.
struct FrameHead {
    double time = 0;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
};
inline constexpr std::size_t kFrameHeadBytes = 16;
std::string encode(const FrameHead& head);
// Also checks that `image_bytes` of image can be what `request` asked for.
Result<FrameHead> parse_frame_head(std::string_view bytes, std::size_t image_bytes,
                                   const FrameRequest& request);

struct Levels {
    double window_s = 0;
    double start = 0;
    std::vector<float> dbfs;
};
std::string encode(const Levels& levels);
Result<Levels> parse_levels(std::string_view bytes);

struct End {
    bool key_frames_only = false;
    std::uint64_t frames_decoded = 0;
};
std::string encode(const End& end);
Result<End> parse_end(std::string_view bytes);

std::string encode(const Error& error);
// The worker's error, with nothing in it that could not be shown to people.
Result<Error> parse_error(std::string_view bytes);

}  // namespace sheaf::media::wire
