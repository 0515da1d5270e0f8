#include "media/ffmpeg/wire.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "media/frame_selector.h"

namespace sheaf::media::wire {
namespace {

constexpr std::uint32_t kJobMagic = 0x314a4d53;  // "SMJ1"
constexpr std::size_t kTextBytesMax = 256;
constexpr int kEdgeMax = 1 << 16;

class Writer {
public:
    template <class T>
        requires std::is_arithmetic_v<T> || std::is_enum_v<T>
    Writer& put(T value) {
        char bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));
        out_.append(bytes, sizeof(T));
        return *this;
    }
    template <class T>
    Writer& put(const std::optional<T>& value) {
        put<std::uint8_t>(value ? 1 : 0);
        return put(value.value_or(T{}));
    }
    Writer& put(std::string_view text) {
        text = text.substr(0, kTextBytesMax);
        put(static_cast<std::uint16_t>(text.size()));
        out_.append(text);
        return *this;
    }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

// Reads past the end give zeros and are remembered; `whole` says at the end whether all fitted.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    template <class T>
        requires std::is_arithmetic_v<T>
    void get(T& value) {
        if (rest_.size() < sizeof(T)) {
            good_ = false;
            value = T{};
            return;
        }
        std::memcpy(&value, rest_.data(), sizeof(T));
        rest_.remove_prefix(sizeof(T));
    }
    void get(bool& value) {
        std::uint8_t byte = 0;
        get(byte);
        if (byte > 1) good_ = false;
        value = byte == 1;
    }
    template <class E>
    void get_enum(E& value, E last) {
        std::underlying_type_t<E> number = 0;
        get(number);
        if (number > std::to_underlying(last)) {
            good_ = false;
            number = 0;
        }
        value = static_cast<E>(number);
    }
    void get_seconds(double& value) {
        get(value);
        require(std::isfinite(value) && std::abs(value) <= kSecondsMax);
    }
    void get_seconds(std::optional<double>& value) {
        bool there = false;
        double seconds = 0;
        get(there);
        get_seconds(seconds);
        value = there ? std::optional(seconds) : std::nullopt;
    }
    void get(std::optional<std::int64_t>& value) {
        bool there = false;
        std::int64_t number = 0;
        get(there);
        get(number);
        value = there ? std::optional(number) : std::nullopt;
    }
    void get_edge(int& value) {
        get(value);
        require(value >= 0 && value <= kEdgeMax);
    }
    // Printable ASCII only: what a file says of itself must not carry anything else further.
    void get(std::string& text) {
        std::uint16_t size = 0;
        get(size);
        if (size > kTextBytesMax || rest_.size() < size) {
            good_ = false;
            return;
        }
        text.assign(rest_.substr(0, size));
        rest_.remove_prefix(size);
        require(std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }));
    }
    std::string_view take_rest() { return std::exchange(rest_, {}); }
    void require(bool condition) { good_ = good_ && condition; }
    bool good() const { return good_; }
    bool whole() const { return good_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool good_ = true;
};

std::unexpected<Error> nonsense() {
    return fail(ErrorCode::internal, "The media worker's answer makes no sense.");
}

}  // namespace

std::string encode(const Job& job) {
    const auto& request = job.request;
    return Writer{}
        .put(kJobMagic)
        .put(job.kind)
        .put(job.limits.memory_bytes_max)
        .put(job.limits.cpu_s_max)
        .put(job.limits.pixels_max)
        .put(job.limits.output_bytes_max)
        .put(job.file_bytes)
        .put(request.start)
        .put(request.end)
        .put(request.frames_per_second)
        .put(request.count_max)
        .put(request.long_edge_max)
        .put(request.format)
        .put(request.jpeg_quality)
        .put(request.mode)
        .put(job.known_start)
        .put(job.known_end)
        .take();
}

Result<Job> parse_job(std::string_view bytes) {
    Reader in(bytes);
    Job job;
    std::uint32_t magic = 0;
    in.get(magic);
    in.require(magic == kJobMagic);
    in.get_enum(job.kind, JobKind::loudness);
    in.require(std::to_underlying(job.kind) > 0);
    in.get(job.limits.memory_bytes_max);
    in.get(job.limits.cpu_s_max);
    in.get(job.limits.pixels_max);
    in.get(job.limits.output_bytes_max);
    in.get(job.file_bytes);
    auto& request = job.request;
    in.get_seconds(request.start);
    in.get_seconds(request.end);
    in.get(request.frames_per_second);
    in.get(request.count_max);
    in.get(request.long_edge_max);
    in.get_enum(request.format, PixelFormat::gray8);
    in.get(request.jpeg_quality);
    in.get_enum(request.mode, DecodeMode::key_frames);
    in.get_seconds(job.known_start);
    in.get_seconds(job.known_end);
    if (!in.whole())
        return fail(ErrorCode::internal, "The media worker was given a job that makes no sense.");
    if (auto checked = check(request); !checked) return std::unexpected(checked.error());
    return job;
}

std::string encode(const RecordHeader& header) {
    return Writer{}.put(header.kind).put(header.bytes).take();
}

Result<RecordHeader> parse_header(std::string_view bytes) {
    Reader in(bytes);
    RecordHeader header;
    in.get_enum(header.kind, RecordKind::error);
    in.get(header.bytes);
    in.require(std::to_underlying(header.kind) > 0);
    in.require(header.kind == RecordKind::frame ? header.bytes > kFrameHeadBytes
                                                : header.bytes <= kSmallRecordBytesMax);
    if (!in.whole()) return nonsense();
    return header;
}

std::string encode(const MediaInfo& info) {
    Writer out;
    out.put(info.type).put(std::string_view(info.mime_type)).put(std::string_view(info.container));
    out.put(info.duration_s)
        .put(info.start_s)
        .put(info.bitrate_bps)
        .put(std::string_view(info.creation_time));
    out.put(info.image_width).put(info.image_height).put(std::string_view(info.image_format));
    out.put(static_cast<std::uint32_t>(info.video.size()));
    for (const auto& s : info.video) {
        out.put(s.index).put(std::string_view(s.codec)).put(s.width).put(s.height).put(s.fps).put(s.avg_fps);
        out.put(s.start_s)
            .put(s.duration_s)
            .put(s.bitrate_bps)
            .put(s.rotation)
            .put(std::string_view(s.pixel_format));
        out.put(s.bit_depth).put<std::uint8_t>(s.is_hdr).put(std::string_view(s.sample_aspect_ratio));
    }
    out.put(static_cast<std::uint32_t>(info.audio.size()));
    for (const auto& s : info.audio) {
        out.put(s.index).put(std::string_view(s.codec)).put(s.sample_rate).put(s.channels);
        out.put(std::string_view(s.channel_layout)).put(s.bitrate_bps).put(std::string_view(s.language));
        out.put(s.duration_s);
    }
    return out.take();
}

Result<MediaInfo> parse_info(std::string_view bytes) {
    Reader in(bytes);
    MediaInfo info;
    in.get_enum(info.type, core::MediaType::image);
    in.get(info.mime_type);
    in.get(info.container);
    in.get_seconds(info.duration_s);
    in.require(!info.duration_s || *info.duration_s >= 0);
    in.get_seconds(info.start_s);
    in.get(info.bitrate_bps);
    in.get(info.creation_time);
    in.get_edge(info.image_width);
    in.get_edge(info.image_height);
    in.get(info.image_format);
    std::uint32_t count = 0;
    in.get(count);
    in.require(count <= kStreamsMax);
    for (std::uint32_t n = 0; in.good() && n < count; ++n) {
        auto& s = info.video.emplace_back();
        in.get_edge(s.index);
        in.get(s.codec);
        in.get_edge(s.width);
        in.get_edge(s.height);
        in.get_seconds(s.fps);
        in.get_seconds(s.avg_fps);
        in.get_seconds(s.start_s);
        in.get_seconds(s.duration_s);
        in.get(s.bitrate_bps);
        in.get(s.rotation);
        in.require(s.rotation >= 0 && s.rotation < 360);
        in.get(s.pixel_format);
        in.get_edge(s.bit_depth);
        in.get(s.is_hdr);
        in.get(s.sample_aspect_ratio);
    }
    in.get(count);
    in.require(count <= kStreamsMax);
    for (std::uint32_t n = 0; in.good() && n < count; ++n) {
        auto& s = info.audio.emplace_back();
        in.get_edge(s.index);
        in.get(s.codec);
        in.get(s.sample_rate);
        in.require(s.sample_rate >= 0);
        in.get_edge(s.channels);
        in.get(s.channel_layout);
        in.get(s.bitrate_bps);
        in.get(s.language);
        in.get_seconds(s.duration_s);
    }
    if (!in.whole()) return nonsense();
    return info;
}

std::string encode(const FrameHead& head) {
    return Writer{}.put(head.time).put(head.width).put(head.height).take();
}

Result<FrameHead> parse_frame_head(std::string_view bytes, std::size_t image_bytes,
                                   const FrameRequest& request) {
    Reader in(bytes);
    FrameHead head;
    in.get_seconds(head.time);
    in.get(head.width);
    in.get(head.height);
    const auto edge_max = static_cast<std::uint32_t>(std::max(request.long_edge_max, 2));
    in.require(head.width > 0 && head.width <= edge_max && head.height > 0 && head.height <= edge_max);
    const std::size_t pixels = std::size_t{head.width} * head.height;
    switch (request.format) {
        case PixelFormat::jpeg:
            in.require(image_bytes >= 4);
            break;
        case PixelFormat::rgb24:
            in.require(image_bytes == pixels * 3);
            break;
        case PixelFormat::gray8:
            in.require(image_bytes == pixels);
            break;
    }
    if (!in.whole()) return nonsense();
    return head;
}

std::string encode(const Levels& levels) {
    Writer out;
    out.put(levels.window_s).put(levels.start);
    for (const float level : levels.dbfs) out.put(level);
    return out.take();
}

Result<Levels> parse_levels(std::string_view bytes) {
    Reader in(bytes);
    Levels levels;
    in.get_seconds(levels.window_s);
    in.get_seconds(levels.start);
    in.require(levels.window_s > 0);
    const auto rest = in.take_rest();
    in.require(rest.size() % sizeof(float) == 0);
    if (!in.good()) return nonsense();
    levels.dbfs.resize(rest.size() / sizeof(float));
    if (!rest.empty()) std::memcpy(levels.dbfs.data(), rest.data(), rest.size());
    if (!std::ranges::all_of(levels.dbfs, [](float x) { return x >= -100.0F && x <= 200.0F; }))
        return nonsense();
    return levels;
}

std::string encode(const End& end) {
    return Writer{}.put<std::uint8_t>(end.key_frames_only).put(end.frames_decoded).take();
}

Result<End> parse_end(std::string_view bytes) {
    Reader in(bytes);
    End end;
    in.get(end.key_frames_only);
    in.get(end.frames_decoded);
    if (!in.whole()) return nonsense();
    return end;
}

std::string encode(const Error& error) {
    return Writer{}.put(error.code).put(std::string_view(error.message)).take();
}

Result<Error> parse_error(std::string_view bytes) {
    Reader in(bytes);
    Error error;
    std::underlying_type_t<ErrorCode> code{};
    in.get(code);
    in.get(error.message);
    error.code = static_cast<ErrorCode>(code);
    // A worker can fail in these ways only.
    in.require(error.code == ErrorCode::invalid || error.code == ErrorCode::too_large ||
               error.code == ErrorCode::timed_out || error.code == ErrorCode::internal);
    if (!in.whole() || error.message.empty()) return nonsense();
    return error;
}

}  // namespace sheaf::media::wire
