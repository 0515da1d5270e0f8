#include "backend/window.h"

#include <algorithm>

#include <fmt/format.h>

namespace sheaf::backend {

Result<Bounds> analysis_window(const core::VideoAnalysis& analysis, const media::MediaInfo& info) {
    Bounds window{analysis.start_time.value_or(info.start_s), 0};
    if (info.duration_s) {
        const double video_end = info.start_s + *info.duration_s;
        window.start = std::max(window.start, info.start_s);
        window.end = std::min(analysis.end_time.value_or(video_end), video_end);
        if (analysis.start_time && *analysis.start_time >= video_end)
            return fail(ErrorCode::invalid,
                        fmt::format("start_time {} lies at or after the end of the video ({:.3f} s)",
                                    *analysis.start_time, video_end),
                        "start_time");
        if (analysis.end_time && *analysis.end_time <= info.start_s)
            return fail(ErrorCode::invalid,
                        fmt::format("end_time {} lies before the start of the video ({:.3f} s)",
                                    *analysis.end_time, info.start_s),
                        "end_time");
    } else if (analysis.end_time) {
        window.end = *analysis.end_time;
    } else {
        return fail(ErrorCode::invalid, "the duration of the video is not known");
    }
    if (!(window.start < window.end))
        return fail(ErrorCode::invalid, "the window to analyse is empty", "start_time");
    return window;
}

}  // namespace sheaf::backend
