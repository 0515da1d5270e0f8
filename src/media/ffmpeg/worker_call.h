#pragma once

#include <optional>
#include <stop_token>

#include "base/result.h"
#include "media/decoders.h"
#include "media/ffmpeg/wire.h"
#include "media/video.h"

namespace sheaf::media {

// All that a worker may say in answer to one job.
struct WorkerAnswer {
    std::optional<MediaInfo> info;
    FrameSet frames;
    std::optional<Loudness> loudness;
};

// Runs one job on `file` in a worker of its own; blocks. Whatever the worker does, this returns within the
// limits of `options`, with its answer or an error as media::Video describes them, and leaves no process
// behind. canceled when `stop` says so. Limits in `job` are set from `options`.
Result<WorkerAnswer> call_worker(const FfmpegOptions& options, wire::Job job, const blob::BlobFile& file,
                                 std::stop_token stop);

}  // namespace sheaf::media
