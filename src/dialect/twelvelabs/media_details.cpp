#include "dialect/twelvelabs/reader.h"
#include "dialect/twelvelabs/twelvelabs.h"
#include "jsonl/document.h"
#include "jsonl/writer.h"

// technical_metadata, written and read back.
//
// Beside the vendor's members stand those that the decoder needs and the vendor has no name for: media_type,
// start_seconds, bitrate_bps, and start_seconds, hdr and sample_aspect_ratio of a stream.
namespace sheaf::dialect::twelvelabs {
namespace {

using jsonl::Writer;

std::string_view to_word(core::MediaType type) {
    switch (type) {
        case core::MediaType::unknown:
            return "unknown";
        case core::MediaType::video:
            return "video";
        case core::MediaType::audio:
            return "audio";
        case core::MediaType::image:
            return "image";
    }
    return "unknown";
}

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
    json.member("fps", stream.fps).member("avg_fps", stream.avg_fps).member("start_seconds", stream.start_s);
    write_known(json, "duration_seconds", stream.duration_s);
    write_known(json, "bitrate_bps", stream.bitrate_bps);
    json.member("rotation", stream.rotation);
    write_text(json, "pixel_format", stream.pixel_format);
    json.member("bit_depth", stream.bit_depth).member("hdr", stream.is_hdr);
    write_text(json, "sample_aspect_ratio", stream.sample_aspect_ratio);
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

// A member of what we wrote ourselves: absent or of its type.
class Stored {
public:
    explicit Stored(dom::element value) : value_(value) {}
    std::string text(std::string_view name) const {
        std::string_view text;
        return value_[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
    }
    std::optional<double> number(std::string_view name) const {
        double number = 0;
        if (value_[name].get(number) != simdjson::SUCCESS) return std::nullopt;
        return number;
    }
    int whole(std::string_view name) const { return static_cast<int>(number(name).value_or(0)); }
    std::optional<std::int64_t> large(std::string_view name) const {
        std::int64_t number = 0;
        if (value_[name].get(number) != simdjson::SUCCESS) return std::nullopt;
        return number;
    }
    bool flag(std::string_view name) const {
        bool flag = false;
        return value_[name].get(flag) == simdjson::SUCCESS && flag;
    }
    template <class Visit>
    void for_each(std::string_view name, const Visit& visit) const {
        dom::array array;
        if (value_[name].get(array) != simdjson::SUCCESS) return;
        for (const dom::element element : array) visit(Stored(element));
    }

private:
    dom::element value_;
};

media::VideoStream read_video_stream(const Stored& stored) {
    media::VideoStream stream;
    stream.index = stored.whole("index");
    stream.codec = stored.text("codec");
    stream.width = stored.whole("width");
    stream.height = stored.whole("height");
    stream.fps = stored.number("fps").value_or(0);
    stream.avg_fps = stored.number("avg_fps").value_or(0);
    stream.start_s = stored.number("start_seconds").value_or(0);
    stream.duration_s = stored.number("duration_seconds");
    stream.bitrate_bps = stored.large("bitrate_bps");
    stream.rotation = stored.whole("rotation");
    stream.pixel_format = stored.text("pixel_format");
    stream.bit_depth = stored.whole("bit_depth");
    stream.is_hdr = stored.flag("hdr");
    stream.sample_aspect_ratio = stored.text("sample_aspect_ratio");
    return stream;
}

media::AudioStream read_audio_stream(const Stored& stored) {
    media::AudioStream stream;
    stream.index = stored.whole("index");
    stream.codec = stored.text("codec");
    stream.sample_rate = stored.whole("sample_rate");
    stream.channels = stored.whole("channels");
    stream.channel_layout = stored.text("channel_layout");
    stream.bitrate_bps = stored.large("bitrate_bps");
    stream.language = stored.text("language");
    stream.duration_s = stored.number("duration_seconds");
    return stream;
}

}  // namespace

std::string render_details(const media::MediaInfo& info, std::uint64_t bytes) {
    Writer json;
    json.open_object().member("file_size_bytes", bytes).member("media_type", to_word(info.type));
    write_text(json, "file_mime_type", info.mime_type);
    write_text(json, "file_container_format", info.container);
    write_text(json, "container_creation_time", info.creation_time);
    write_known(json, "duration_seconds", info.duration_s);
    json.member("start_seconds", info.start_s);
    write_known(json, "bitrate_bps", info.bitrate_bps);
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

media::MediaInfo read_details(const core::Asset& asset) {
    media::MediaInfo info;
    const auto document = jsonl::Document::parse(asset.details.empty() ? "{}" : asset.details);
    if (!document || !document->root().is_object()) return info;
    const Stored stored(document->root());
    info.type = asset.type;
    info.mime_type = stored.text("file_mime_type");
    info.container = stored.text("file_container_format");
    info.creation_time = stored.text("container_creation_time");
    info.duration_s = stored.number("duration_seconds");
    info.start_s = stored.number("start_seconds").value_or(0);
    info.bitrate_bps = stored.large("bitrate_bps");
    info.image_width = stored.whole("image_width");
    info.image_height = stored.whole("image_height");
    info.image_format = stored.text("image_format");
    stored.for_each("video_streams",
                    [&info](const Stored& stream) { info.video.push_back(read_video_stream(stream)); });
    stored.for_each("audio_streams",
                    [&info](const Stored& stream) { info.audio.push_back(read_audio_stream(stream)); });
    return info;
}

}  // namespace sheaf::dialect::twelvelabs
