#pragma once

#include <optional>

#include "core/inference.h"
#include "media/video.h"
#include "service/limits.h"

namespace sheaf::scheduler {

// Why this video, or the window asked of it, cannot be analysed; nullopt when it can. The rules are the
// contract's "Video input limits": length, size, shape, and a window that lies in the video.
std::optional<core::Failure> find_video_fault(const media::MediaInfo& info,
                                              const core::VideoAnalysis& analysis,
                                              const service::Limits& limits);

}  // namespace sheaf::scheduler
