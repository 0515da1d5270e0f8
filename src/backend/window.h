#pragma once

#include "backend/segments.h"
#include "base/result.h"
#include "core/inference.h"
#include "media/video.h"

namespace sheaf::backend {

// The stretch of the video that an analysis is about, in seconds of the source video. An end beyond the
// video's is cut to it. invalid: no stretch of time is left, or the file's duration is not known and no end
// was asked for.
Result<Bounds> analysis_window(const core::VideoAnalysis& analysis, const media::MediaInfo& info);

}  // namespace sheaf::backend
