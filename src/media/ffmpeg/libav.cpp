#include "media/ffmpeg/libav.h"

#include <algorithm>
#include <cerrno>
#include <cmath>

namespace sheaf::media::libav {
namespace {

const std::int32_t* display_matrix(const AVStream& stream) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
    const auto* side = av_packet_side_data_get(
        stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    if (!side || side->size < 9 * sizeof(std::int32_t)) return nullptr;
    return reinterpret_cast<const std::int32_t*>(side->data);
#else
    std::size_t size = 0;
    const auto* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (!data || size < 9 * sizeof(std::int32_t)) return nullptr;
    return reinterpret_cast<const std::int32_t*>(data);
#endif
}

}  // namespace

std::unexpected<Error> failure(int code, const std::string& doing) {
    if (code == AVERROR(ENOMEM)) {
        return fail(ErrorCode::too_large, doing + " needs more memory than one file may have.");
    }
    char text[AV_ERROR_MAX_STRING_SIZE] = {};
    av_strerror(code, text, sizeof text);
    return fail(ErrorCode::invalid, doing + " failed: " + text + ".");
}

Result<CodecPtr> open_decoder(const AVStream& stream, const DecoderOptions& options) {
    const auto& parameters = *stream.codecpar;
    const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
    if (!codec) {
        return fail(ErrorCode::invalid, std::string("There is no decoder for the format ") +
                                            avcodec_get_name(parameters.codec_id) + ".");
    }
    if (parameters.width > 0 && parameters.height > 0 &&
        static_cast<std::uint64_t>(parameters.width) * static_cast<std::uint64_t>(parameters.height) >
            options.pixels_max) {
        return fail(ErrorCode::too_large, "The picture has more pixels than are allowed.");
    }
    CodecPtr context(avcodec_alloc_context3(codec));
    if (!context) return failure(AVERROR(ENOMEM), "Opening the decoder");
    if (const int code = avcodec_parameters_to_context(context.get(), &parameters); code < 0) {
        return failure(code, "Opening the decoder");
    }
    context->pkt_timebase = stream.time_base;
    context->thread_count = options.threads;
    context->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
    context->max_pixels = static_cast<std::int64_t>(options.pixels_max);
    if (const int code = avcodec_open2(context.get(), codec, nullptr); code < 0) {
        return failure(code, "Opening the decoder");
    }
    return context;
}

double seconds(std::int64_t stamp, const AVStream& stream) {
    return static_cast<double>(stamp) * av_q2d(stream.time_base);
}

std::int64_t stamp_of(const AVPacket& packet) {
    return packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
}

Orientation orientation_of(const AVStream& stream) {
    const auto* matrix = display_matrix(stream);
    if (!matrix) return {};
    // x' = a x + c y, y' = b x + d y, of which a picture stored in a grid can show only the signs.
    const std::int64_t a = matrix[0];
    const std::int64_t b = matrix[1];
    const std::int64_t c = matrix[3];
    const std::int64_t d = matrix[4];
    const double degrees = -av_display_rotation_get(matrix);
    if (!std::isfinite(degrees)) return {};
    Orientation found;
    found.transposed = std::abs(b) + std::abs(c) > std::abs(a) + std::abs(d);
    found.flip_x = found.transposed ? c < 0 : a < 0;
    found.flip_y = found.transposed ? b < 0 : d < 0;
    const int quarters = static_cast<int>(std::lround(degrees / 90.0));
    found.degrees = ((quarters % 4 + 4) % 4) * 90;
    return found;
}

}  // namespace sheaf::media::libav
