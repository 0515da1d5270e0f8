#include "media/ffmpeg/probe.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <limits>
#include <map>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "base/clock.h"

namespace sheaf::media {
namespace {

constexpr double kDurationMax = 10.0 * 365 * 86400;
// Reading a whole file for its duration ends here.
constexpr int kPacketsMax = 20'000'000;

double ratio(AVRational value) {
    const double result = value.den == 0 ? 0 : av_q2d(value);
    return std::isfinite(result) && result >= 0 ? result : 0;
}

std::optional<double> plausible(double duration) {
    if (!std::isfinite(duration) || duration < 0 || duration > kDurationMax) return std::nullopt;
    return duration;
}

std::optional<std::int64_t> known(std::int64_t bitrate) {
    return bitrate > 0 ? std::optional(bitrate) : std::nullopt;
}

// Letters that can be shown; the rest becomes '?'.
std::string printable(std::string_view text) {
    std::string out(text.substr(0, 64));
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

std::string tag(const AVDictionary* tags, const char* key) {
    const auto* entry = av_dict_get(tags, key, nullptr, 0);
    return entry ? printable(entry->value) : std::string();
}

// FFmpeg writes "2024-05-06T07:08:09.000000Z" for what containers store; free text is left out.
std::string creation_time(const AVDictionary* tags) {
    const std::string text = tag(tags, "creation_time");
    std::tm parts{};
    const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest) rest = ::strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &parts);
    if (!rest || (*rest != '\0' && *rest != '.' && *rest != 'Z')) return {};
    const std::time_t at = ::timegm(&parts);
    return to_rfc3339(Timestamp(std::chrono::seconds(at)));
}

// The first and the last moment of a stream, from its packets.
struct Span {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
    bool seen() const { return last >= first; }
};
using Spans = std::map<int, Span>;

void read_to_end(Input& input, Spans& spans) {
    const libav::PacketPtr packet(av_packet_alloc());
    for (int n = 0; packet && n < kPacketsMax && av_read_frame(&input.format(), packet.get()) >= 0; ++n) {
        const std::int64_t stamp = libav::stamp_of(*packet);
        // A packet that the end of the file cuts short shows nothing.
        if (stamp != AV_NOPTS_VALUE && !(packet->flags & AV_PKT_FLAG_CORRUPT) &&
            std::abs(stamp) < INT64_MAX / 4) {
            const std::int64_t length = std::clamp<std::int64_t>(packet->duration, 0, INT64_MAX / 4);
            auto& span = spans[packet->stream_index];
            span.first = std::min(span.first, stamp);
            span.last = std::max(span.last, stamp + length);
        }
        av_packet_unref(packet.get());
    }
}

// How far the streams really go: reads from the last key frame on where the file can be searched, else all of
// it.
Spans find_ends(Input& input, int reference, bool whole) {
    Spans spans;
    auto& format = input.format();
    for (unsigned n = 0; n < format.nb_streams; ++n) format.streams[n]->discard = AVDISCARD_DEFAULT;
    if (!whole) {
        const auto& stream = input.stream(reference);
        const int count = avformat_index_get_entries_count(&stream);
        std::int64_t target = stream.duration;
        if (target == AV_NOPTS_VALUE)
            target = av_rescale_q(format.duration, AVRational{1, AV_TIME_BASE}, stream.time_base);
        if (stream.start_time != AV_NOPTS_VALUE) target += stream.start_time;
        // A second before the end that the header tells, so that something is left to read.
        target -= av_rescale_q(1, AVRational{1, 1}, stream.time_base);
        // The last sample that the file still holds, where the index lists them all.
        for (int n = std::string_view(format.iformat->name).starts_with("mov,") ? count - 1 : -1; n >= 0;
             --n) {
            const auto* entry = avformat_index_get_entry(const_cast<AVStream*>(&stream), n);
            target = entry->timestamp;
            if (entry->pos >= 0 && entry->pos + entry->size <= input.bytes()) break;
        }
        if (av_seek_frame(&format, reference, target, AVSEEK_FLAG_BACKWARD) >= 0) {
            read_to_end(input, spans);
            if (spans.contains(reference)) return spans;
        }
    }
    spans.clear();
    if (avformat_seek_file(&format, -1, INT64_MIN, INT64_MIN + 1, INT64_MAX, 0) < 0 &&
        av_seek_frame(&format, -1, 0, AVSEEK_FLAG_BYTE | AVSEEK_FLAG_BACKWARD) < 0) {
        // Forward from where the analysis stopped, which is better than nothing.
    }
    read_to_end(input, spans);
    return spans;
}

bool is_hdr(const AVCodecParameters& parameters) {
    return parameters.color_trc == AVCOL_TRC_SMPTE2084 || parameters.color_trc == AVCOL_TRC_ARIB_STD_B67;
}

std::string pixel_format(const AVCodecParameters& parameters, int& bit_depth) {
    const auto format = static_cast<AVPixelFormat>(parameters.format);
    const auto* about = av_pix_fmt_desc_get(format);
    bit_depth = about ? about->comp[0].depth : 8;
    return about ? about->name : std::string();
}

VideoStream describe_video(AVFormatContext& format, AVStream& stream) {
    const auto& parameters = *stream.codecpar;
    VideoStream found;
    found.index = stream.index;
    found.codec = avcodec_get_name(parameters.codec_id);
    const auto orientation = libav::orientation_of(stream);
    found.rotation = orientation.degrees;
    found.width = orientation.transposed ? parameters.height : parameters.width;
    found.height = orientation.transposed ? parameters.width : parameters.height;
    found.fps = ratio(stream.r_frame_rate);
    found.avg_fps = ratio(stream.avg_frame_rate);
    if (found.avg_fps == 0) found.avg_fps = found.fps;
    if (found.fps == 0) found.fps = found.avg_fps;
    if (stream.start_time != AV_NOPTS_VALUE) found.start_s = libav::seconds(stream.start_time, stream);
    if (stream.duration != AV_NOPTS_VALUE)
        found.duration_s = plausible(libav::seconds(stream.duration, stream));
    found.bitrate_bps = known(parameters.bit_rate);
    found.pixel_format = pixel_format(parameters, found.bit_depth);
    found.is_hdr = is_hdr(parameters);
    auto aspect = av_guess_sample_aspect_ratio(&format, &stream, nullptr);
    if (aspect.num <= 0 || aspect.den <= 0) aspect = {1, 1};
    found.sample_aspect_ratio = std::to_string(aspect.num) + ":" + std::to_string(aspect.den);
    return found;
}

AudioStream describe_audio(AVStream& stream) {
    const auto& parameters = *stream.codecpar;
    AudioStream found;
    found.index = stream.index;
    found.codec = avcodec_get_name(parameters.codec_id);
    found.sample_rate = std::max(parameters.sample_rate, 0);
    found.channels = std::max(parameters.ch_layout.nb_channels, 0);
    char layout[64] = {};
    if (av_channel_layout_describe(&parameters.ch_layout, layout, sizeof layout) > 0) {
        found.channel_layout = printable(layout);
    }
    found.bitrate_bps = known(parameters.bit_rate);
    found.language = tag(stream.metadata, "language");
    if (found.language == "und") found.language.clear();
    if (stream.duration != AV_NOPTS_VALUE)
        found.duration_s = plausible(libav::seconds(stream.duration, stream));
    return found;
}

bool is_image(std::string_view container) {
    return container.ends_with("_pipe") || container == "gif" || container == "apng";
}

std::string mime_type(Input& input, const MediaInfo& info) {
    const std::string_view name = info.container;
    const bool video = info.type == core::MediaType::video;
    if (info.type == core::MediaType::image) {
        if (name == "apng") return "image/png";
        if (info.image_format == "jpeg" || info.image_format == "png" || info.image_format == "webp" ||
            info.image_format == "gif" || info.image_format == "bmp" || info.image_format == "tiff") {
            return "image/" + info.image_format;
        }
        return "application/octet-stream";
    }
    if (name.starts_with("mov,")) {
        const std::string brand = tag(input.format().metadata, "major_brand");
        if (brand.starts_with("qt")) return video ? "video/quicktime" : "audio/mp4";
        if (brand.starts_with("3g")) return video ? "video/3gpp" : "audio/3gpp";
        return video ? "video/mp4" : "audio/mp4";
    }
    if (name.starts_with("matroska")) {
        // The EBML header, which names the kind of document, is in the first bytes.
        char head[64] = {};
        const ssize_t got = ::pread(input.fd(), head, sizeof head, 0);
        const bool webm = got > 0 && std::string_view(head, static_cast<std::size_t>(got)).contains("webm");
        return std::string(video ? "video/" : "audio/") + (webm ? "webm" : "x-matroska");
    }
    if (name == "ogg") return video ? "video/ogg" : "audio/ogg";
    if (name == "asf") return video ? "video/x-ms-wmv" : "audio/x-ms-wma";
    static const std::map<std::string_view, const char*> kOthers{
        {"avi", "video/x-msvideo"},  {"mpegts", "video/mp2t"}, {"mpeg", "video/mpeg"},
        {"mpegvideo", "video/mpeg"}, {"h264", "video/h264"},   {"hevc", "video/h265"},
        {"m4v", "video/mpeg"},       {"flv", "video/x-flv"},   {"live_flv", "video/x-flv"},
        {"mxf", "application/mxf"},  {"ivf", "video/x-ivf"},   {"wav", "audio/wav"},
        {"w64", "audio/wav"},        {"mp3", "audio/mpeg"},    {"aac", "audio/aac"},
        {"flac", "audio/flac"},      {"aiff", "audio/aiff"},   {"caf", "audio/x-caf"},
        {"amr", "audio/amr"},        {"ac3", "audio/ac3"},     {"eac3", "audio/eac3"},
    };
    const auto found = kOthers.find(name);
    return found != kOthers.end() ? found->second : "application/octet-stream";
}

std::string image_format(const AVCodecParameters& parameters) {
    switch (parameters.codec_id) {
        case AV_CODEC_ID_MJPEG:
            return "jpeg";
        case AV_CODEC_ID_APNG:
            return "png";
        default:
            return avcodec_get_name(parameters.codec_id);
    }
}

// Bare streams of sound have so short a mark that chance makes it; then nothing in them can be decoded.
bool some_sound_decodes(Input& input, int index) {
    auto decoder = libav::open_decoder(input.stream(index), {.threads = 1, .pixels_max = 1});
    const libav::PacketPtr packet(av_packet_alloc());
    const libav::FramePtr frame(av_frame_alloc());
    if (!decoder || !packet || !frame) return false;
    for (int n = 0; n < 64 && av_read_frame(&input.format(), packet.get()) >= 0; ++n) {
        if (packet->stream_index == index && avcodec_send_packet(decoder->get(), packet.get()) >= 0 &&
            avcodec_receive_frame(decoder->get(), frame.get()) >= 0) {
            return true;
        }
        av_packet_unref(packet.get());
    }
    return false;
}

Result<MediaInfo> describe_image(Input& input, MediaInfo info, int index) {
    const auto& parameters = *input.stream(index).codecpar;
    if (parameters.width <= 0 || parameters.height <= 0) {
        return fail(ErrorCode::invalid, "The image is broken: its size cannot be read.");
    }
    info.type = core::MediaType::image;
    info.image_width = parameters.width;
    info.image_height = parameters.height;
    info.image_format = image_format(parameters);
    info.mime_type = mime_type(input, info);
    return info;
}

void settle_durations(Input& input, MediaInfo& info) {
    auto& format = input.format();
    const int reference = info.video.empty() ? info.audio.front().index : info.video.front().index;
    const bool guessed =
        format.duration == AV_NOPTS_VALUE || format.duration_estimation_method == AVFMT_DURATION_FROM_BITRATE;
    std::optional<double> header;
    if (!guessed) header = plausible(static_cast<double>(format.duration) / AV_TIME_BASE);
    // Bare sound tells its length by its bit rate, and some of it loses count when searched: it is small, so
    // all of it is read.
    const Spans spans = find_ends(input, reference, guessed || info.video.empty());

    double end = -std::numeric_limits<double>::infinity();
    double first = std::numeric_limits<double>::infinity();
    std::map<int, double> ends;
    for (const auto& [index, span] : spans) {
        const auto& stream = input.stream(index);
        const auto type = stream.codecpar->codec_type;
        if (!span.seen() || (type != AVMEDIA_TYPE_VIDEO && type != AVMEDIA_TYPE_AUDIO)) continue;
        if (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) continue;
        ends[index] = libav::seconds(span.last, stream);
        end = std::max(end, ends[index]);
        first = std::min(first, libav::seconds(span.first, stream));
    }
    if (format.start_time != AV_NOPTS_VALUE) {
        info.start_s = static_cast<double>(format.start_time) / AV_TIME_BASE;
    } else if (std::isfinite(first)) {
        info.start_s = first;
    }
    info.duration_s = header;
    if (std::isfinite(end)) {
        const auto found = plausible(end - info.start_s);
        const double slack = std::max(0.5, found.value_or(0) * 0.02);
        if (found && (!header || std::abs(*header - *found) > slack)) info.duration_s = found;
    }
    const auto correct = [&](std::optional<double>& duration, int index, double start) {
        const auto at = ends.find(index);
        if (at == ends.end()) {
            if (duration && info.duration_s && *duration > *info.duration_s + 0.5) duration = info.duration_s;
            return;
        }
        const auto found = plausible(at->second - start);
        if (found && (!duration || std::abs(*duration - *found) > std::max(0.5, *found * 0.02)))
            duration = found;
    };
    for (auto& s : info.video) correct(s.duration_s, s.index, s.start_s);
    for (auto& s : info.audio) {
        const auto& stream = input.stream(s.index);
        correct(
            s.duration_s, s.index,
            stream.start_time != AV_NOPTS_VALUE ? libav::seconds(stream.start_time, stream) : info.start_s);
    }
    info.bitrate_bps = known(format.bit_rate);
    if (info.duration_s && *info.duration_s > 0.01) {
        const double bits = static_cast<double>(input.bytes()) * 8 / *info.duration_s;
        if (bits < 1e15) info.bitrate_bps = static_cast<std::int64_t>(bits);
    }
}

}  // namespace

Result<MediaInfo> describe(Input& input) {
    auto& format = input.format();
    MediaInfo info;
    info.container = printable(format.iformat->name);
    info.creation_time = creation_time(format.metadata);
    const int video = input.find_stream(AVMEDIA_TYPE_VIDEO);
    if (is_image(info.container) && video >= 0) return describe_image(input, std::move(info), video);

    for (unsigned n = 0; n < format.nb_streams; ++n) {
        auto& stream = *format.streams[n];
        const auto& parameters = *stream.codecpar;
        if (parameters.codec_type == AVMEDIA_TYPE_VIDEO &&
            !(stream.disposition & AV_DISPOSITION_ATTACHED_PIC) && parameters.width > 0 &&
            parameters.height > 0) {
            info.video.push_back(describe_video(format, stream));
        }
        if (parameters.codec_type == AVMEDIA_TYPE_AUDIO && parameters.sample_rate > 0 &&
            parameters.ch_layout.nb_channels > 0) {
            info.audio.push_back(describe_audio(stream));
        }
    }
    if (info.video.empty() && info.audio.empty()) {
        return fail(ErrorCode::invalid, "The file holds neither pictures nor sound that can be decoded.");
    }
    info.type = info.video.empty() ? core::MediaType::audio : core::MediaType::video;
    if (info.video.empty() && !some_sound_decodes(input, info.audio.front().index)) {
        return fail(ErrorCode::invalid, "The file is not audio, video or an image, or its sound is broken.");
    }
    info.mime_type = mime_type(input, info);
    settle_durations(input, info);
    return info;
}

}  // namespace sheaf::media
