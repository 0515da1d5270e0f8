#include "dialect/twelvelabs/twelvelabs.h"
#include "jsonl/writer.h"

// technical_metadata, in the vendor's members.
namespace sheaf::dialect::twelvelabs {
namespace {

using jsonl::Writer;

void write_text(Writer& json, std::string_view name, std::string_view text) {
    if (!text.empty()) json.member(name, text);
}

template <class Number>
void write_known(Writer& json, std::string_view name, const std::optional<Number>& number) {
    if (number) json.member(name, *number);
}

void write_video(Writer& json, const media::VideoStream& stream) {
    json.open_object().member("index", stream.index).member("codec", stream.codec);
    json.member("width", stream.width).member("height", stream.height);
    json.member("fps", stream.fps).member("avg_fps", stream.avg_fps);
    write_known(json, "duration_seconds", stream.duration_s);
    write_known(json, "bitrate_bps", stream.bitrate_bps);
    json.member("rotation", stream.rotation);
    write_text(json, "pixel_format", stream.pixel_format);
    json.member("bit_depth", stream.bit_depth);
    write_text(json, "pixel_aspect_ratio", stream.sample_aspect_ratio);
    json.close_object();
}

void write_audio(Writer& json, const media::AudioStream& stream) {
    json.open_object().member("index", stream.index).member("codec", stream.codec);
    json.member("sample_rate", stream.sample_rate).member("channels", stream.channels);
    write_text(json, "channel_layout", stream.channel_layout);
    write_known(json, "bitrate_bps", stream.bitrate_bps);
    write_text(json, "language", stream.language);
    write_known(json, "duration_seconds", stream.duration_s);
    json.close_object();
}

void write_main_video(Writer& json, const media::MediaInfo& info) {
    const media::VideoStream& stream = info.video.front();
    json.member("video_codec", stream.codec)
        .member("video_width", stream.width)
        .member("video_height", stream.height);
    json.member("video_fps", stream.fps);
    write_known(json, "video_duration_seconds", stream.duration_s ? stream.duration_s : info.duration_s);
    write_known(json, "video_bitrate_bps", stream.bitrate_bps);
    json.member("is_hdr", stream.is_hdr);
    if (stream.width > 0 && stream.height > 0) {
        // A number to the SDKs, whatever its name suggests.
        json.member("storage_aspect_ratio", static_cast<double>(stream.width) / stream.height);
    }
}

void write_main_audio(Writer& json, const media::MediaInfo& info) {
    const media::AudioStream& stream = info.audio.front();
    json.member("audio_codec", stream.codec).member("audio_sample_rate", stream.sample_rate);
    json.member("audio_channels", stream.channels);
    write_known(json, "audio_duration_seconds", stream.duration_s ? stream.duration_s : info.duration_s);
}

}  // namespace

std::string render_details(const media::MediaInfo& info, std::uint64_t bytes) {
    Writer json;
    json.open_object().member("file_size_bytes", bytes);
    write_text(json, "file_mime_type", info.mime_type);
    write_text(json, "file_container_format", info.container);
    write_text(json, "container_creation_time", info.creation_time);
    if (info.type == core::MediaType::image) {
        json.member("image_width", info.image_width).member("image_height", info.image_height);
        write_text(json, "image_format", info.image_format);
        json.close_object();
        return json.take();
    }
    if (!info.video.empty()) write_main_video(json, info);
    if (!info.audio.empty()) write_main_audio(json, info);
    json.member("has_audio", !info.audio.empty());
    json.member("total_video_streams", info.video.size()).member("total_audio_streams", info.audio.size());
    json.key("video_streams").open_array();
    for (const auto& stream : info.video) write_video(json, stream);
    json.close_array().key("audio_streams").open_array();
    for (const auto& stream : info.audio) write_audio(json, stream);
    json.close_array().close_object();
    return json.take();
}

}  // namespace sheaf::dialect::twelvelabs
