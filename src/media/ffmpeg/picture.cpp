#include "media/ffmpeg/picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sheaf::media {
namespace {

AVPixelFormat target_format(PixelFormat format) {
    switch (format) {
        case PixelFormat::jpeg:
            return AV_PIX_FMT_YUVJ420P;
        case PixelFormat::rgb24:
            return AV_PIX_FMT_RGB24;
        case PixelFormat::gray8:
            return AV_PIX_FMT_GRAY8;
    }
    return AV_PIX_FMT_NONE;
}

// The JPEG formats of old are the plain ones with the full range.
AVPixelFormat plain_format(int format, bool& full_range) {
    full_range = true;
    switch (format) {
        case AV_PIX_FMT_YUVJ420P:
            return AV_PIX_FMT_YUV420P;
        case AV_PIX_FMT_YUVJ422P:
            return AV_PIX_FMT_YUV422P;
        case AV_PIX_FMT_YUVJ444P:
            return AV_PIX_FMT_YUV444P;
        case AV_PIX_FMT_YUVJ440P:
            return AV_PIX_FMT_YUV440P;
        case AV_PIX_FMT_YUVJ411P:
            return AV_PIX_FMT_YUV411P;
        default:
            full_range = false;
            return static_cast<AVPixelFormat>(format);
    }
}

int matrix_of(const AVFrame& frame) {
    switch (frame.colorspace) {
        case AVCOL_SPC_BT709:
            return SWS_CS_ITU709;
        case AVCOL_SPC_BT2020_NCL:
        case AVCOL_SPC_BT2020_CL:
            return SWS_CS_BT2020;
        case AVCOL_SPC_SMPTE240M:
            return SWS_CS_SMPTE240M;
        case AVCOL_SPC_FCC:
            return SWS_CS_FCC;
        case AVCOL_SPC_UNSPECIFIED:
            return frame.height >= 720 ? SWS_CS_ITU709 : SWS_CS_ITU601;
        default:
            return SWS_CS_ITU601;
    }
}

// FFmpeg's scale, where 2 is the best, for the 1 to 100 that people know from libjpeg.
int quantiser(int quality) {
    const double percent = quality < 50 ? 5000.0 / quality : 200.0 - 2.0 * quality;
    return std::clamp(static_cast<int>(std::lround(percent / 10)), 2, 31);
}

Result<libav::FramePtr> make_frame(int width, int height, AVPixelFormat format) {
    libav::FramePtr frame(av_frame_alloc());
    if (!frame) return libav::failure(AVERROR(ENOMEM), "Scaling a picture");
    frame->width = width;
    frame->height = height;
    frame->format = format;
    frame->color_range = AVCOL_RANGE_JPEG;
    if (const int code = av_frame_get_buffer(frame.get(), 0); code < 0)
        return libav::failure(code, "Scaling a picture");
    return frame;
}

// Copies one plane into its upright place. `Pixel` is as wide as a pixel of the plane.
template <class Pixel>
void turn_plane(const AVFrame& from, AVFrame& to, int plane, PictureSize size,
                const libav::Orientation& how) {
    const int out_width = how.transposed ? size.height : size.width;
    const int out_height = how.transposed ? size.width : size.height;
    for (int y = 0; y < out_height; ++y) {
        auto* out = reinterpret_cast<Pixel*>(to.data[plane] + std::ptrdiff_t{y} * to.linesize[plane]);
        const int v = how.flip_y ? out_height - 1 - y : y;
        for (int x = 0; x < out_width; ++x) {
            const int u = how.flip_x ? out_width - 1 - x : x;
            const int from_x = how.transposed ? v : u;
            const int from_y = how.transposed ? u : v;
            const auto* row = from.data[plane] + std::ptrdiff_t{from_y} * from.linesize[plane];
            out[x] = reinterpret_cast<const Pixel*>(row)[from_x];
        }
    }
}

struct Rgb {
    std::uint8_t bytes[3];
};

}  // namespace

Result<PictureMaker::Picture> PictureMaker::make(const AVFrame& frame) {
    if (frame.width != from_width_ || frame.height != from_height_ || frame.format != from_format_ ||
        frame.colorspace != from_space_ || frame.color_range != from_range_) {
        if (auto ready = set_up(frame); !ready) return std::unexpected(ready.error());
    }
    // The encoder may still hold the last picture.
    if (const int code = av_frame_make_writable(scaled_.get()); code < 0) {
        return libav::failure(code, "Scaling a picture");
    }
    const int rows = sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, scaled_->data,
                               scaled_->linesize);
    if (rows <= 0) return libav::failure(rows < 0 ? rows : AVERROR_UNKNOWN, "Scaling a picture");
    if (auto turned = turn(); !turned) return std::unexpected(turned.error());
    if (request_.format == PixelFormat::jpeg) return encode_jpeg();
    return pack();
}

Result<> PictureMaker::set_up(const AVFrame& frame) {
    scaler_.reset();
    from_format_ = -1;
    if (frame.width <= 0 || frame.height <= 0) return fail(ErrorCode::invalid, "A picture has no size.");
    const auto size = fit({frame.width, frame.height}, request_.long_edge_max);
    const auto to = target_format(request_.format);
    bool full_range = false;
    const auto from = plain_format(frame.format, full_range);
    full_range = full_range || frame.color_range == AVCOL_RANGE_JPEG;
    bool target_full = false;
    scaler_.reset(sws_getContext(frame.width, frame.height, from, size.width, size.height,
                                 plain_format(to, target_full), SWS_BILINEAR, nullptr, nullptr, nullptr));
    if (!scaler_) return fail(ErrorCode::invalid, "A picture is in a form that cannot be converted.");
    // For JPEG the matrix stays what it is, as with the ffmpeg program; only its range changes.
    const int* matrix = sws_getCoefficients(matrix_of(frame));
    sws_setColorspaceDetails(scaler_.get(), matrix, full_range ? 1 : 0, matrix, 1, 0, 1 << 16, 1 << 16);

    const auto out_size = orientation_.transposed ? PictureSize{size.height, size.width} : size;
    const bool same = scaled_ && scaled_->width == size.width && scaled_->height == size.height;
    if (!same) {
        auto scaled = make_frame(size.width, size.height, to);
        if (!scaled) return std::unexpected(scaled.error());
        scaled_ = std::move(*scaled);
        auto upright = make_frame(out_size.width, out_size.height, to);
        if (!upright) return std::unexpected(upright.error());
        upright_ = std::move(*upright);
        if (auto ready = set_up_encoder(); !ready) return ready;
    }
    from_width_ = frame.width;
    from_height_ = frame.height;
    from_format_ = frame.format;
    from_space_ = frame.colorspace;
    from_range_ = frame.color_range;
    return {};
}

Result<> PictureMaker::set_up_encoder() {
    if (request_.format != PixelFormat::jpeg) return {};
    const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (!codec) return fail(ErrorCode::internal, "FFmpeg was built without a JPEG encoder.");
    encoder_.reset(avcodec_alloc_context3(codec));
    packet_.reset(av_packet_alloc());
    if (!encoder_ || !packet_) return libav::failure(AVERROR(ENOMEM), "Encoding a picture");
    encoder_->width = upright_->width;
    encoder_->height = upright_->height;
    encoder_->pix_fmt = AV_PIX_FMT_YUVJ420P;
    encoder_->color_range = AVCOL_RANGE_JPEG;
    encoder_->time_base = {1, 25};
    // Square pixels: this is what makes FFmpeg write the mark of JFIF.
    encoder_->sample_aspect_ratio = {1, 1};
    encoder_->thread_count = 1;
    encoder_->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    encoder_->global_quality = quantiser(request_.jpeg_quality) * FF_QP2LAMBDA;
    if (const int code = avcodec_open2(encoder_.get(), codec, nullptr); code < 0) {
        return libav::failure(code, "Encoding a picture");
    }
    return {};
}

Result<> PictureMaker::turn() {
    if (!orientation_.transposed && !orientation_.flip_x && !orientation_.flip_y) return {};
    if (const int code = av_frame_make_writable(upright_.get()); code < 0) {
        return libav::failure(code, "Turning a picture");
    }
    const PictureSize size{scaled_->width, scaled_->height};
    switch (request_.format) {
        case PixelFormat::rgb24:
            turn_plane<Rgb>(*scaled_, *upright_, 0, size, orientation_);
            break;
        case PixelFormat::gray8:
            turn_plane<std::uint8_t>(*scaled_, *upright_, 0, size, orientation_);
            break;
        case PixelFormat::jpeg:
            turn_plane<std::uint8_t>(*scaled_, *upright_, 0, size, orientation_);
            for (const int plane : {1, 2}) {
                turn_plane<std::uint8_t>(*scaled_, *upright_, plane, {size.width / 2, size.height / 2},
                                         orientation_);
            }
            break;
    }
    return {};
}

Result<PictureMaker::Picture> PictureMaker::encode_jpeg() {
    const bool turned = orientation_.transposed || orientation_.flip_x || orientation_.flip_y;
    AVFrame& frame = turned ? *upright_ : *scaled_;
    frame.quality = encoder_->global_quality;
    frame.pict_type = AV_PICTURE_TYPE_I;
    ++frame.pts;
    av_packet_unref(packet_.get());
    int code = avcodec_send_frame(encoder_.get(), &frame);
    if (code >= 0) code = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (code < 0) return libav::failure(code, "Encoding a picture");
    return Picture{frame.width,
                   frame.height,
                   {reinterpret_cast<const char*>(packet_->data), static_cast<std::size_t>(packet_->size)}};
}

PictureMaker::Picture PictureMaker::pack() {
    const bool turned = orientation_.transposed || orientation_.flip_x || orientation_.flip_y;
    const AVFrame& frame = turned ? *upright_ : *scaled_;
    const auto row_bytes =
        static_cast<std::size_t>(frame.width) * (request_.format == PixelFormat::rgb24 ? 3 : 1);
    packed_.resize(row_bytes * static_cast<std::size_t>(frame.height));
    for (int y = 0; y < frame.height; ++y) {
        std::memcpy(packed_.data() + static_cast<std::size_t>(y) * row_bytes,
                    frame.data[0] + std::ptrdiff_t{y} * frame.linesize[0], row_bytes);
    }
    return {frame.width, frame.height, packed_};
}

}  // namespace sheaf::media
