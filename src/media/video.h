#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "blob/blob_store.h"
#include "core/asset.h"

namespace sheaf::media {

struct VideoStream {
    int index = 0;
    std::string codec;
    int width = 0;  // as shown: after rotation
    int height = 0;
    double fps = 0;  // the container's real base rate
    double avg_fps = 0;
    double start_s = 0;  // its first time stamp in the container
    std::optional<double> duration_s;
    std::optional<std::int64_t> bitrate_bps;
    int rotation = 0;  // degrees
    std::string pixel_format;
    int bit_depth = 8;
    bool is_hdr = false;
    std::string sample_aspect_ratio;  // "1:1"
};

struct AudioStream {
    int index = 0;
    std::string codec;
    int sample_rate = 0;
    int channels = 0;
    std::string channel_layout;
    std::optional<std::int64_t> bitrate_bps;
    std::string language;
    std::optional<double> duration_s;
};

// What a file is, found by looking at its content.
struct MediaInfo {
    core::MediaType type = core::MediaType::unknown;
    std::string mime_type;  // "video/mp4"
    std::string container;  // FFmpeg's name: "mov,mp4,m4a,3gp,3g2,mj2"
    std::optional<double> duration_s;
    double start_s = 0;  // the container's first time stamp
    std::optional<std::int64_t> bitrate_bps;
    std::string creation_time;       // RFC 3339, or empty
    std::vector<VideoStream> video;  // attached pictures are not counted
    std::vector<AudioStream> audio;
    int image_width = 0;  // of an image
    int image_height = 0;
    std::string image_format;
};

enum class PixelFormat : std::uint8_t {
    jpeg,   // a JPEG file each
    rgb24,  // width * height * 3 bytes, rows top down
    gray8,  // width * height bytes
};

// Which packets are decoded.
enum class DecodeMode : std::uint8_t {
    automatic,  // key frames alone where their spacing gives the wanted rate, else all
    all,
    key_frames,
};

// A sampling: which frames of a window, and in what form. Times are seconds in the source video.
struct FrameRequest {
    std::optional<double> start;   // default: the video's start
    std::optional<double> end;     // half open; default: its end
    double frames_per_second = 1;  // the most; a lower source rate gives what there is. 0: every frame
    std::uint32_t count_max =
        0;                    // 0: no limit; beyond, the rate is lowered so that the window is covered evenly
    int long_edge_max = 640;  // scaled down to fit, never up; ratio kept
    PixelFormat format = PixelFormat::jpeg;
    int jpeg_quality = 85;  // 1 to 100
    DecodeMode mode = DecodeMode::automatic;
    auto operator<=>(const FrameRequest&) const = default;
};

struct Frame {
    double time = 0;  // seconds in the source video
    int width = 0;
    int height = 0;
    std::string bytes;
};

struct FrameSet {
    std::vector<Frame> frames;  // in order of time
    bool key_frames_only = false;
    std::uint64_t frames_decoded = 0;
};

// RMS level of the sound, in dB below full scale, for windows of equal length. Silence is -100.
struct Loudness {
    double window_s = 0.1;
    double start = 0;
    std::vector<float> dbfs;
};

// One video that can be looked at: a handle, shared by the items that ask about it.
//
// Frames are decoded once per (file, request) while they fit into the cache, also when many ask at once.
// Errors are the file's: invalid (broken, no such stream), timed_out, too_large (a limit of the worker), or
// ours: unavailable, internal. Threads: any executor.
class Video {
public:
    virtual ~Video() = default;
    virtual const MediaInfo& info() const = 0;
    virtual async::Task<Result<std::shared_ptr<const FrameSet>>> frames(FrameRequest request) = 0;
    // invalid when there is no sound.
    virtual async::Task<Result<Loudness>> loudness() = 0;
};

struct MediaStats {
    std::uint64_t decodes = 0;  // runs of the decoder for frames
    std::uint64_t probes = 0;
    std::uint64_t cache_hits = 0;
    std::uint64_t cache_bytes = 0;
};

// Looks into files, in processes of their own with limits, so that a hostile file costs one answer.
//
// Threads: any executor. `key` names the bytes (a blob key): equal keys mean equal bytes.
class Media {
public:
    virtual ~Media() = default;
    // invalid: FFmpeg cannot make sense of it; the message says why, for people.
    virtual async::Task<Result<MediaInfo>> probe(std::shared_ptr<const blob::BlobFile> file) = 0;
    virtual std::shared_ptr<Video> open(std::string key, std::shared_ptr<const blob::BlobFile> file,
                                        MediaInfo info) = 0;
    virtual MediaStats stats() const = 0;
};

}  // namespace sheaf::media
