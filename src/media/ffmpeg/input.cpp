#include "media/ffmpeg/input.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <unistd.h>

#include "media/ffmpeg/wire.h"

namespace sheaf::media {
namespace {

// Formats that hold their own bytes. Those that are lists of other files (hls, dash, concat, sdp, image2) are
// not here, nor are those that any text can pass for.
constexpr const char* kFormats =
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,flv,live_flv,ogg,asf,mxf,ivf,"
    "wav,w64,mp3,aac,flac,aiff,caf,amr,ac3,eac3,"
    "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe,gif,apng";
constexpr int kBufferBytes = 64 << 10;
// Below this, FFmpeg's guess at the format is a coincidence.
constexpr int kProbeScoreMin = AVPROBE_SCORE_RETRY;

int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
    return AVERROR(EPERM);
}

bool header_says_all(const AVFormatContext& format) {
    const std::string name = format.iformat->name;
    if (!name.starts_with("mov,") && !name.starts_with("matroska,")) return false;
    for (unsigned n = 0; n < format.nb_streams; ++n) {
        const auto& parameters = *format.streams[n]->codecpar;
        if (parameters.codec_type == AVMEDIA_TYPE_VIDEO &&
            (parameters.width <= 0 || parameters.height <= 0)) {
            return false;
        }
        if (parameters.codec_type == AVMEDIA_TYPE_AUDIO && parameters.sample_rate <= 0) return false;
    }
    return format.nb_streams > 0;
}

Result<> check_pixels(const AVFormatContext& format, std::uint64_t pixels_max) {
    for (unsigned n = 0; n < format.nb_streams; ++n) {
        const auto& parameters = *format.streams[n]->codecpar;
        if (parameters.width > 0 && parameters.height > 0 &&
            static_cast<std::uint64_t>(parameters.width) * static_cast<std::uint64_t>(parameters.height) >
                pixels_max) {
            return fail(ErrorCode::too_large, "The picture has more pixels than are allowed.");
        }
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Input>> Input::open(int fd, std::uint64_t bytes, std::uint64_t pixels_max,
                                           Analyse analyse) {
    if (bytes == 0) return fail(ErrorCode::invalid, "The file is empty.");
    std::unique_ptr<Input> input(
        new Input(fd, static_cast<std::int64_t>(std::min<std::uint64_t>(bytes, INT64_MAX))));
    if (auto opened = input->open(pixels_max, analyse); !opened) return std::unexpected(opened.error());
    return input;
}

Result<> Input::open(std::uint64_t pixels_max, Analyse analyse) {
    auto* buffer = static_cast<std::uint8_t*>(av_malloc(kBufferBytes));
    if (!buffer) return libav::failure(AVERROR(ENOMEM), "Reading the file");
    io_ = avio_alloc_context(buffer, kBufferBytes, 0, this, &Input::read, nullptr, &Input::seek);
    if (!io_) {
        av_free(buffer);
        return libav::failure(AVERROR(ENOMEM), "Reading the file");
    }
    format_ = avformat_alloc_context();
    if (!format_) return libav::failure(AVERROR(ENOMEM), "Reading the file");
    format_->pb = io_;
    format_->flags |= AVFMT_FLAG_CUSTOM_IO;
    format_->io_open = &refuse_to_open;
    format_->max_streams = static_cast<int>(wire::kStreamsMax);
    AVDictionary* options = nullptr;
    av_dict_set(&options, "format_whitelist", kFormats, 0);
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    // On failure this frees format_ and sets it to null.
    const int opened = avformat_open_input(&format_, "", nullptr, &options);
    av_dict_free(&options);
    if (opened == AVERROR(ENOMEM)) return libav::failure(opened, "Opening the file");
    if (opened == AVERROR_INVALIDDATA || opened == AVERROR(EINVAL)) {
        return fail(ErrorCode::invalid,
                    "The file is not audio, video or an image that can be read, or it is cut off.");
    }
    if (opened < 0) return libav::failure(opened, "Opening the file");
    if (format_->probe_score < kProbeScoreMin) {
        return fail(ErrorCode::invalid, "The file is not audio, video or an image.");
    }
    if (auto checked = check_pixels(*format_, pixels_max); !checked) return checked;
    if (analyse == Analyse::if_needed && header_says_all(*format_)) return {};

    const std::string pixels = std::to_string(pixels_max);
    std::vector<AVDictionary*> stream_options(format_->nb_streams, nullptr);
    for (auto& entry : stream_options) {
        av_dict_set(&entry, "max_pixels", pixels.c_str(), 0);
        av_dict_set(&entry, "threads", "1", 0);
    }
    const int analysed =
        avformat_find_stream_info(format_, stream_options.empty() ? nullptr : stream_options.data());
    for (auto& entry : stream_options) av_dict_free(&entry);
    if (analysed < 0) return libav::failure(analysed, "Analysing the file");
    return check_pixels(*format_, pixels_max);
}

Input::~Input() {
    if (format_) avformat_close_input(&format_);
    if (io_) {
        av_freep(static_cast<void*>(&io_->buffer));
        avio_context_free(&io_);
    }
}

int Input::find_stream(AVMediaType type) const {
    for (unsigned n = 0; n < format_->nb_streams; ++n) {
        const auto& stream = *format_->streams[n];
        if (stream.codecpar->codec_type == type && !(stream.disposition & AV_DISPOSITION_ATTACHED_PIC)) {
            return static_cast<int>(n);
        }
    }
    return -1;
}

void Input::select_only(int index) {
    for (unsigned n = 0; n < format_->nb_streams; ++n) {
        format_->streams[n]->discard = static_cast<int>(n) == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
}

int Input::read(void* self, std::uint8_t* buffer, int size) {
    auto& input = *static_cast<Input*>(self);
    // What follows in the file is not of the media.
    const auto wanted = std::min<std::int64_t>(size, input.bytes_ - input.at_);
    if (wanted <= 0) return AVERROR_EOF;
    for (;;) {
        const ssize_t got = ::pread(input.fd_, buffer, static_cast<std::size_t>(wanted), input.at_);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return AVERROR(errno);
        if (got == 0) return AVERROR_EOF;
        input.at_ += got;
        return static_cast<int>(got);
    }
}

std::int64_t Input::seek(void* self, std::int64_t offset, int whence) {
    auto& input = *static_cast<Input*>(self);
    switch (whence & ~AVSEEK_FORCE) {
        case AVSEEK_SIZE:
            return input.bytes_;
        case SEEK_SET:
            break;
        case SEEK_CUR:
            offset += input.at_;
            break;
        case SEEK_END:
            offset += input.bytes_;
            break;
        default:
            return AVERROR(EINVAL);
    }
    if (offset < 0) return AVERROR(EINVAL);
    input.at_ = offset;
    return offset;
}

}  // namespace sheaf::media
