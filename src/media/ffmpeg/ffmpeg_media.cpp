#include <atomic>
#include <functional>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "media/decoders.h"
#include "media/ffmpeg/wire.h"
#include "media/ffmpeg/worker_call.h"
#include "media/flight.h"
#include "media/frame_cache.h"
#include "media/frame_selector.h"

namespace sheaf::media {
namespace {

using File = std::shared_ptr<const blob::BlobFile>;

// What the media object and the videos opened through it share.
struct Workers {
    explicit Workers(FfmpegOptions chosen)
        : options(std::move(chosen)),
          pool(options.workers_max > 0 ? options.workers_max : 1),
          cache(options.cache_bytes_max, pool) {}
    // Nobody waits any more, so whatever still runs was told to stop.
    ~Workers() { pool.join(); }

    // Runs `job` on the pool, alone.
    async::Task<Result<WorkerAnswer>> call(wire::Job job, File file) {
        using AnswerFlight = Flight<Result<WorkerAnswer>>;
        auto flight = std::make_shared<AnswerFlight>();
        auto seat = flight->join();
        boost::asio::post(pool, [this, flight, job, file = std::move(file)]() noexcept {
            const auto stop = flight->stop_token();
            flight->land(stop.stop_requested()
                             ? fail(ErrorCode::canceled, "Nobody waits for the answer any more.")
                             : call_worker(options, job, *file, stop));
        });
        auto answer = co_await AnswerFlight::wait(std::move(*seat));
        if (!answer) co_return fail(ErrorCode::canceled, "Nobody waits for the answer any more.");
        co_return std::move(*answer);
    }

    const FfmpegOptions options;
    std::atomic<std::uint64_t> probes{0};
    boost::asio::thread_pool pool;
    FrameCache cache;
};

class FfmpegVideo final : public Video {
public:
    FfmpegVideo(std::shared_ptr<Workers> workers, std::string key, File file, MediaInfo info)
        : workers_(std::move(workers)),
          key_(std::move(key)),
          file_(std::move(file)),
          info_(std::move(info)) {}

    const MediaInfo& info() const override { return info_; }

    async::Task<Result<std::shared_ptr<const FrameSet>>> frames(FrameRequest request) override {
        if (auto checked = check(request); !checked) co_return std::unexpected(checked.error());
        FrameCache::Decode decode = [workers = workers_.get(), file = file_,
                                     job = frames_job(request)](std::stop_token stop) -> Result<FrameSet> {
            auto answer = call_worker(workers->options, job, *file, std::move(stop));
            if (!answer) return std::unexpected(answer.error());
            return std::move(answer->frames);
        };
        co_return co_await workers_->cache.get(key_, request, std::move(decode));
    }

    async::Task<Result<Loudness>> loudness() override {
        wire::Job job;
        job.kind = wire::JobKind::loudness;
        auto answer = co_await workers_->call(job, file_);
        if (!answer) co_return std::unexpected(answer.error());
        co_return std::move(*answer->loudness);
    }

private:
    wire::Job frames_job(const FrameRequest& request) const {
        wire::Job job;
        job.kind = wire::JobKind::frames;
        job.request = request;
        if (!info_.video.empty()) {
            const auto& video = info_.video.front();
            const auto duration = video.duration_s ? video.duration_s : info_.duration_s;
            job.known_start = video.start_s;
            if (duration) job.known_end = video.start_s + *duration;
        }
        return job;
    }

    std::shared_ptr<Workers> workers_;
    std::string key_;
    File file_;
    MediaInfo info_;
};

class FfmpegMedia final : public Media {
public:
    explicit FfmpegMedia(FfmpegOptions options) : workers_(std::make_shared<Workers>(std::move(options))) {}

    async::Task<Result<MediaInfo>> probe(File file) override {
        ++workers_->probes;
        auto answer = co_await workers_->call(wire::Job{}, std::move(file));
        if (!answer) co_return std::unexpected(answer.error());
        co_return std::move(*answer->info);
    }

    std::shared_ptr<Video> open(std::string key, File file, MediaInfo info) override {
        return std::make_shared<FfmpegVideo>(workers_, std::move(key), std::move(file), std::move(info));
    }

    MediaStats stats() const override {
        const auto cache = workers_->cache.stats();
        return {.decodes = cache.decodes,
                .probes = workers_->probes.load(),
                .cache_hits = cache.hits,
                .cache_bytes = cache.bytes};
    }

private:
    std::shared_ptr<Workers> workers_;
};

}  // namespace

std::unique_ptr<Media> make_ffmpeg_media(FfmpegOptions options) {
    return std::make_unique<FfmpegMedia>(std::move(options));
}

}  // namespace sheaf::media
