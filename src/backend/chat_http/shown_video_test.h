#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/evp.h>

#include "media/video.h"

namespace sheaf::backend {

// A picture of 16 x 16, as a JPEG file.
inline std::string a_jpeg() {
    constexpr std::string_view kBase64 =
        "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD/"
        "2wBDAAg+Pkk+SVVVVVVVVWRdZGhoaGRkZGRoaGhwcHCDg4NwcHBoaHBw"
        "fHyDg4+Tj4eHg4eTk5ubm7q6srLZ2eD/////"
        "xABsAAEBAAAAAAAAAAAAAAAAAAAFBgEBAAMBAAAAAAAAAAAAAAAABgIDAQQQAQACAgEDBQEA"
        "AAAAAAAAAAECEQMAkRMhEiKhYdFBMREAAQMEAgIDAQAAAAAAAAAAARIDAjEhABFxkULRIvBiYf/AABEIABAAEAMBEgACEgADEgD/"
        "2gAMAwEA"
        "AhEDEQA/AJmnHjjTSl2fP89naFIzxx9QUBxX1qlpuMjsgHm+HG3pCSUE/eM0FS9+CU/xRvnPMFpevmvVPz3iuSfRkIAX3A/"
        "NEzEskk8Xi9GN"
        "TlKsieTvEkGoxjsOCXGveXxiJFwnwSm5tutqXybJBWCREzTY1Gus/9k=";
    std::string bytes(kBase64.size(), '\0');
    EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                    reinterpret_cast<const unsigned char*>(kBase64.data()), static_cast<int>(kBase64.size()));
    // What the padding added.
    bytes.resize(365);
    return bytes;
}

// Twelve seconds of video without a decoder: the same picture every four seconds.
class ShownVideo final : public media::Video {
public:
    ShownVideo() {
        info_.duration_s = 12;
        info_.video.push_back({.width = 16, .height = 16});
        frames_ = std::make_shared<media::FrameSet>();
        for (const double time : {0.0, 4.0, 8.0})
            frames_->frames.push_back({.time = time, .width = 16, .height = 16, .bytes = a_jpeg()});
    }
    const media::MediaInfo& info() const override { return info_; }
    async::Task<Result<std::shared_ptr<const media::FrameSet>>> frames(media::FrameRequest request) override {
        asked = request;
        if (error) co_return std::unexpected(*error);
        co_return frames_;
    }
    async::Task<Result<media::Loudness>> loudness() override {
        co_return fail(ErrorCode::invalid, "no sound");
    }

    media::FrameRequest asked;
    std::optional<Error> error;
    media::MediaInfo info_;
    std::shared_ptr<media::FrameSet> frames_;
};

}  // namespace sheaf::backend
