#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

#include "base/result.h"

// FFmpeg's objects with owners.
namespace sheaf::media::libav {

struct Closer {
    void operator()(AVFrame* frame) const { av_frame_free(&frame); }
    void operator()(AVPacket* packet) const { av_packet_free(&packet); }
    void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
    void operator()(SwsContext* context) const { sws_freeContext(context); }
    void operator()(SwrContext* context) const { swr_free(&context); }
};

using FramePtr = std::unique_ptr<AVFrame, Closer>;
using PacketPtr = std::unique_ptr<AVPacket, Closer>;
using CodecPtr = std::unique_ptr<AVCodecContext, Closer>;
using ScalerPtr = std::unique_ptr<SwsContext, Closer>;
using ResamplerPtr = std::unique_ptr<SwrContext, Closer>;

// What a negative answer of FFmpeg means to the one who sent the file; `doing` begins the sentence.
std::unexpected<Error> failure(int code, const std::string& doing);

struct DecoderOptions {
    int threads = 1;
    std::uint64_t pixels_max = 0;
};
Result<CodecPtr> open_decoder(const AVStream& stream, const DecoderOptions& options);

// Seconds of a time stamp of `stream`; the stamp must not be AV_NOPTS_VALUE.
double seconds(std::int64_t stamp, const AVStream& stream);
// When a packet or frame is shown, or AV_NOPTS_VALUE.
std::int64_t stamp_of(const AVPacket& packet);

// How to turn a decoded picture so that it stands upright.
struct Orientation {
    bool transposed = false;  // first: rows become columns
    bool flip_x = false;
    bool flip_y = false;
    int degrees = 0;  // clockwise, a multiple of 90; flips apart
};
Orientation orientation_of(const AVStream& stream);

}  // namespace sheaf::media::libav
