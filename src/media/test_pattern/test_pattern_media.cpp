#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <utility>

#include "media/decoders.h"
#include "media/frame_cache.h"
#include "media/frame_selector.h"
#include "media/test_pattern/tiny_jpeg.h"

namespace sheaf::media {
namespace {

MediaInfo usual_info() {
    MediaInfo info;
    info.type = core::MediaType::video;
    info.mime_type = "video/mp4";
    info.container = "mov,mp4,m4a,3gp,3g2,mj2";
    info.duration_s = 60;
    info.bitrate_bps = 1'000'000;
    info.video.push_back({.index = 0,
                          .codec = "h264",
                          .width = 640,
                          .height = 360,
                          .fps = 25,
                          .avg_fps = 25,
                          .duration_s = 60,
                          .bitrate_bps = 900'000,
                          .pixel_format = "yuv420p",
                          .sample_aspect_ratio = "1:1"});
    info.audio.push_back({.index = 1,
                          .codec = "aac",
                          .sample_rate = 48000,
                          .channels = 2,
                          .channel_layout = "stereo",
                          .bitrate_bps = 100'000,
                          .language = "",
                          .duration_s = 60});
    return info;
}

std::string pattern(PixelFormat format, PictureSize size, std::uint64_t number) {
    if (format == PixelFormat::jpeg)
        return {reinterpret_cast<const char*>(kTinyJpeg.data()), kTinyJpeg.size()};
    const int channels = format == PixelFormat::rgb24 ? 3 : 1;
    std::string bytes;
    bytes.reserve(static_cast<std::size_t>(size.width * size.height * channels));
    for (int y = 0; y < size.height; ++y) {
        for (int x = 0; x < size.width; ++x) {
            for (int channel = 0; channel < channels; ++channel) {
                const auto level = static_cast<std::uint64_t>(x + y * (channel + 1)) + number * 7;
                bytes.push_back(static_cast<char>(level & 0xff));
            }
        }
    }
    return bytes;
}

struct Made {
    using Key = std::pair<std::string, FrameRequest>;
    std::mutex mutex;
    std::map<Key, std::shared_ptr<const FrameSet>> sets;
    MediaStats stats;
};

class TestPatternVideo final : public Video {
public:
    TestPatternVideo(std::shared_ptr<Made> made, std::string key, MediaInfo info, double key_frames_every_s)
        : made_(std::move(made)),
          key_(std::move(key)),
          info_(std::move(info)),
          key_frames_every_s_(key_frames_every_s) {}

    const MediaInfo& info() const override { return info_; }

    async::Task<Result<std::shared_ptr<const FrameSet>>> frames(FrameRequest request) override {
        if (auto checked = check(request); !checked) co_return std::unexpected(checked.error());
        if (info_.video.empty()) co_return fail(ErrorCode::invalid, "The file has no video.");
        const std::scoped_lock lock(made_->mutex);
        auto& set = made_->sets[{key_, request}];
        if (set) {
            ++made_->stats.cache_hits;
        } else {
            ++made_->stats.decodes;
            set = std::make_shared<const FrameSet>(make(request));
            made_->stats.cache_bytes += FrameCache::bytes_of(*set);
        }
        co_return set;
    }

    async::Task<Result<Loudness>> loudness() override {
        if (info_.audio.empty()) co_return fail(ErrorCode::invalid, "The file has no sound.");
        Loudness found;
        found.start = info_.start_s;
        const auto windows =
            static_cast<std::size_t>(std::ceil(info_.duration_s.value_or(0) / found.window_s));
        for (std::size_t n = 0; n < windows; ++n) found.dbfs.push_back(n % 100 < 10 ? -100.0F : -20.0F);
        co_return found;
    }

private:
    FrameSet make(const FrameRequest& request) const {
        const auto& video = info_.video.front();
        const double fps = video.avg_fps > 0 ? video.avg_fps : 25;
        const double length = video.duration_s ? *video.duration_s : info_.duration_s.value_or(0);
        auto sampling =
            plan_sampling(request, {.start = video.start_s, .end = video.start_s + length, .fps = fps});
        FrameSet made;
        made.key_frames_only =
            request.mode == DecodeMode::key_frames ||
            (request.mode == DecodeMode::automatic && sampling.step >= key_frames_every_s_ / 1.25);
        const double every = made.key_frames_only ? key_frames_every_s_ : 1 / fps;
        if (sampling.step > 0) sampling.early = std::min(every, sampling.step) / 2;
        FrameSelector selector(sampling);
        const auto size = request.format == PixelFormat::jpeg
                              ? PictureSize{kTinyJpegEdge, kTinyJpegEdge}
                              : fit({video.width, video.height}, request.long_edge_max);
        const auto count = static_cast<std::uint64_t>(std::ceil(length / every - 1e-6));
        for (std::uint64_t n = 0; n < count; ++n) {
            const double time = video.start_s + static_cast<double>(n) * every;
            if (selector.done(time)) break;
            if (time >= sampling.from) ++made.frames_decoded;
            if (!selector.take(time)) continue;
            made.frames.push_back({.time = time,
                                   .width = size.width,
                                   .height = size.height,
                                   .bytes = pattern(request.format, size, n)});
        }
        return made;
    }

    std::shared_ptr<Made> made_;
    std::string key_;
    MediaInfo info_;
    double key_frames_every_s_;
};

class TestPatternMedia final : public Media {
public:
    explicit TestPatternMedia(TestPatternOptions options) : options_(std::move(options)) {}

    async::Task<Result<MediaInfo>> probe(std::shared_ptr<const blob::BlobFile> file) override {
        {
            const std::scoped_lock lock(made_->mutex);
            ++made_->stats.probes;
        }
        if (options_.probe_error) co_return std::unexpected(*options_.probe_error);
        if (file && file->bytes() == 0) co_return fail(ErrorCode::invalid, "The file is empty.");
        co_return options_.info.value_or(usual_info());
    }

    std::shared_ptr<Video> open(std::string key, std::shared_ptr<const blob::BlobFile>,
                                MediaInfo info) override {
        return std::make_shared<TestPatternVideo>(made_, std::move(key), std::move(info),
                                                  options_.key_frames_every_s);
    }

    MediaStats stats() const override {
        const std::scoped_lock lock(made_->mutex);
        return made_->stats;
    }

private:
    TestPatternOptions options_;
    std::shared_ptr<Made> made_ = std::make_shared<Made>();
};

}  // namespace

std::unique_ptr<Media> make_test_pattern_media(TestPatternOptions options) {
    return std::make_unique<TestPatternMedia>(std::move(options));
}

}  // namespace sheaf::media
