#pragma once

#include <string_view>

#include "base/result.h"
#include "media/ffmpeg/libav.h"
#include "media/frame_selector.h"
#include "media/video.h"

namespace sheaf::media {

// Makes pictures of decoded frames: scaled, upright, and encoded. What it has set up for one frame serves the
// next.
class PictureMaker {
public:
    PictureMaker(const FrameRequest& request, const libav::Orientation& orientation)
        : request_(request), orientation_(orientation) {}

    struct Picture {
        int width = 0;
        int height = 0;
        std::string_view bytes;  // valid until the next call
    };
    Result<Picture> make(const AVFrame& frame);

private:
    Result<> set_up(const AVFrame& frame);
    Result<> set_up_encoder();
    Result<> turn();
    Result<Picture> encode_jpeg();
    Picture pack();

    FrameRequest request_;
    libav::Orientation orientation_;
    // What the scaler was made for.
    int from_width_ = 0;
    int from_height_ = 0;
    int from_format_ = -1;
    int from_space_ = -1;
    int from_range_ = -1;
    libav::ScalerPtr scaler_;
    libav::FramePtr scaled_;
    libav::FramePtr upright_;
    libav::CodecPtr encoder_;
    libav::PacketPtr packet_;
    std::string packed_;
};

}  // namespace sheaf::media
